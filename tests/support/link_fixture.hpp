// One writer and one receiver over the same memory in one thread: publishes, hands descriptors
// over, and keeps what was delivered.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "base/atomics.hpp"
#include "core/consumer/frame_receiver.hpp"
#include "core/producer/frame_writer.hpp"
#include "support/counter_changes.hpp"
#include "support/ring_fixture.hpp"

namespace tensorpool::test {

/// A frame as it was when the sink got it.
struct Delivered {
  std::uint64_t epoch = 0;
  std::uint64_t seq = 0;
  TensorInfo info;
  std::vector<std::byte> payload;
  std::uint64_t timestamp_ns = 0;
  std::uint64_t descriptor_timestamp_ns = 0;
  std::uint32_t meta_version = 0;
  std::uint64_t trace_id = 0;
};

template <class Atom = base::DefaultAtom>
class Link {
 public:
  using Receiver = core::consumer::FrameReceiver<Atom>;
  using Writer = core::producer::FrameWriter<Atom>;
  using Frame = core::consumer::Frame<Atom>;
  using Use = core::consumer::Use;
  using Descriptor = core::consumer::Descriptor;

  static constexpr std::uint32_t kStream = 10000;
  static constexpr std::uint64_t kEpoch = 3;

  struct Options {
    std::uint32_t nslots = 4;
    bool recover_gaps = false;
    std::uint64_t max_outstanding_seq_gap = 0;
    std::uint64_t first_seq = 0;
  };
  explicit Link(const Options& options)
      : stream(options.nslots, {{.id = 1, .stride_bytes = 64}, {.id = 2, .stride_bytes = 256}}),
        writer(stream.memory(),
               {.stream_id = kStream, .epoch = kEpoch, .first_seq = options.first_seq}),
        reader({.stream_id = kStream,
                .recover_gaps = options.recover_gaps,
                .max_outstanding_seq_gap = options.max_outstanding_seq_gap}) {
    reader.attach(stream.memory(), kEpoch);
    mark();
  }

  /// Publishes one frame and returns its descriptor.
  Descriptor publish(std::size_t bytes = 8) {
    const auto payload = pattern(bytes, kEpoch, writer.next_seq());
    EXPECT_EQ(writer.publish(bytes_tensor(bytes), payload, 1000 + writer.next_seq()),
              PublishStatus::kPublished);
    return received(writer.descriptor());
  }
  /// Publishes `count` frames; returns the descriptor of the last one.
  Descriptor publish_many(std::uint64_t count) {
    Descriptor last;
    for (std::uint64_t k = 0; k < count; ++k) {
      last = publish();
    }
    return last;
  }
  /// Takes a number and gives it up.
  void abort_one() {
    core::producer::OpenClaim claim;
    ASSERT_EQ(writer.claim(8, claim), PublishStatus::kPublished);
    ASSERT_TRUE(writer.abort(claim));
  }

  int hear(const Descriptor& descriptor) { return reader.on_descriptor(descriptor, false, sink()); }
  int drained() { return reader.on_drained(sink()); }
  int follow(int limit = 1000, bool latest = false) {
    return reader.follow_ring(limit, latest, sink());
  }

  [[nodiscard]] auto sink() {
    return [this](const Frame& frame) {
      frames.push_back({.epoch = frame.epoch,
                        .seq = frame.seq,
                        .info = frame.tensor->info,
                        .payload = {frame.payload.begin(), frame.payload.end()},
                        .timestamp_ns = frame.timestamp_ns,
                        .descriptor_timestamp_ns = frame.descriptor_timestamp_ns,
                        .meta_version = frame.meta_version,
                        .trace_id = frame.trace_id});
      return during_callback ? during_callback(frame) : Use::kDone;
    };
  }

  [[nodiscard]] std::vector<std::uint64_t> seqs() const {
    std::vector<std::uint64_t> numbers;
    for (const Delivered& frame : frames) {
      numbers.push_back(frame.seq);
    }
    return numbers;
  }
  /// Starts a new reckoning of `moved()`.
  void mark() { marked_ = reader.counters(); }
  [[nodiscard]] Changes moved() const { return changes(marked_, reader.counters()); }

  HeapStream<Atom> stream;
  Writer writer;
  Receiver reader;
  std::vector<Delivered> frames;
  std::function<Use(const Frame&)> during_callback;

 private:
  ConsumerCounters marked_;
};

}  // namespace tensorpool::test
