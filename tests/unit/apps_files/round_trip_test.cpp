// Whatever is written comes back bit for bit: every type, order, shape and stride, every format.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "support.hpp"

namespace apps_files_test {
namespace {

using namespace tensorpool;
using namespace tensorpool::apps::files;

/// A tensor with gaps, and its dense elements.
struct Sample {
  TensorInfo info;   ///< as given to the sink
  TensorInfo dense;  ///< as it should come back
  std::size_t payload_bytes = 0;
};

Sample any_sample() {
  Sample sample;
  const auto dtype = static_cast<Dtype>(*rc::gen::inRange(1, 11));
  const auto shape = *rc::gen::resize(
      4, rc::gen::nonEmpty(rc::gen::container<std::vector<std::int32_t>>(rc::gen::inRange(1, 5))));
  sample.dense = TensorInfo::packed(dtype, shape);
  sample.dense.order = *rc::gen::element(MajorOrder::kRow, MajorOrder::kColumn);
  sample.info = sample.dense;
  const std::size_t count = shape.size();
  auto stride = static_cast<std::int64_t>(element_bytes(dtype));
  for (std::size_t step = 0; step < count; ++step) {
    const std::size_t k = sample.dense.order == MajorOrder::kRow ? count - 1 - step : step;
    stride += *rc::gen::inRange(0, 3) * static_cast<std::int64_t>(element_bytes(dtype));
    sample.info.strides[k] = stride;
    stride *= shape[k];
  }
  sample.payload_bytes = static_cast<std::size_t>(stride);
  return sample;
}

/// Element by element, by the definition of a stride.
Bytes dense_elements(const Sample& sample, const Bytes& payload) {
  Bytes dense;
  const std::size_t element = element_bytes(sample.info.dtype);
  const std::size_t count = sample.info.ndims;
  std::vector<std::int32_t> index(count);
  for (;;) {
    std::size_t at = 0;
    for (std::size_t k = 0; k < count; ++k) {
      at += static_cast<std::size_t>(index[k] * sample.info.strides[k]);
    }
    dense.insert(dense.end(), payload.begin() + static_cast<std::ptrdiff_t>(at),
                 payload.begin() + static_cast<std::ptrdiff_t>(at + element));
    std::size_t step = 0;
    for (; step < count; ++step) {
      const std::size_t k = sample.info.order == MajorOrder::kRow ? count - 1 - step : step;
      if (++index[k] < sample.info.dims[k]) {
        break;
      }
      index[k] = 0;
    }
    if (step == count) {
      return dense;
    }
  }
}

RC_GTEST_PROP(RoundTrip, gives_back_every_bit, ()) {
  const Sample sample = any_sample();
  const auto frames = *rc::gen::inRange<std::uint64_t>(1, 5);
  const Scratch scratch;
  const std::string path = scratch / *rc::gen::element("out.npy", "out.fits", "out/");
  Bytes expected;
  {
    const auto sink = open_sink({.to = path});
    RC_ASSERT(sink.has_value());
    for (std::uint64_t frame = 0; frame < frames; ++frame) {
      Bytes payload(sample.payload_bytes);
      for (std::byte& byte : payload) {
        byte = static_cast<std::byte>(*rc::gen::inRange(0, 256));
      }
      RC_ASSERT((*sink)->write(sample.info, payload, frame).has_value());
      const Bytes dense = dense_elements(sample, payload);
      expected.insert(expected.end(), dense.begin(), dense.end());
    }
    RC_ASSERT((*sink)->finish().has_value());
  }
  const auto arrangement = path.ends_with('/') ? Arrangement::kOne : Arrangement::kStack;
  const auto source = open_source({.from = path, .arrangement = arrangement});
  RC_ASSERT(source.has_value());
  RC_ASSERT((*source)->info() == sample.dense);
  RC_ASSERT(drain(**source) == expected);
}

TEST(RoundTrip, reaches_beyond_the_buffer_of_a_file) {
  for (const char* name : {"out.npy", "out.fits"}) {
    for (const std::int32_t extent : {100, 70'000, 300'000}) {
      const Scratch scratch;
      const TensorInfo info = TensorInfo::packed(Dtype::kUint16, {1, extent});
      Bytes expected;
      const auto sink = open_sink({.to = scratch / name});
      ASSERT_TRUE(sink);
      for (std::uint64_t frame = 0; frame < 5; ++frame) {
        std::vector<std::uint16_t> values;
        for (std::int32_t i = 0; i < extent; ++i) {
          values.push_back(static_cast<std::uint16_t>(i * 31 + static_cast<int>(frame)));
        }
        const Bytes bytes = to_bytes(values);
        ASSERT_TRUE((*sink)->write(info, bytes, frame));
        expected.insert(expected.end(), bytes.begin(), bytes.end());
      }
      ASSERT_TRUE((*sink)->finish());
      const auto source = open_source({.from = scratch / name});
      ASSERT_TRUE(source);
      EXPECT_EQ(drain(**source), expected) << name << extent;
    }
  }
}

}  // namespace
}  // namespace apps_files_test
