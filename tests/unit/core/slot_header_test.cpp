// Slots byte for byte: the golden vectors of memory written and read by the product's own writer
// and receiver, and any tensor there and back.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cctype>
#include <string>
#include <vector>

#include "support/golden.hpp"
#include "support/link_fixture.hpp"
#include "support/requirement.hpp"
#include "support/tensor_generator.hpp"

namespace tensorpool::core::ring {
namespace {

using base::DefaultAtom;
using Json = nlohmann::json;
using test::Link;

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

TensorInfo tensor_of(const Json& json) {
  TensorInfo info;
  info.dtype = dtype_from_string(lower(json.at("dtype")));
  EXPECT_NE(info.dtype, Dtype::kUnknown) << json;
  info.order = json.at("majorOrder") == "ROW" ? MajorOrder::kRow : MajorOrder::kColumn;
  info.ndims = json.at("ndims");
  const std::string unit = json.at("progressUnit");
  info.progress_unit = unit == "NONE"   ? ProgressUnit::kNone
                       : unit == "ROWS" ? ProgressUnit::kRows
                                        : ProgressUnit::kColumns;
  info.progress_stride_bytes = json.at("progressStrideBytes");
  for (std::size_t k = 0; k < info.ndims; ++k) {
    info.dims[k] = json.at("dims")[k];
    info.strides[k] = json.at("strides")[k];
  }
  return info;
}

std::vector<test::PoolShape> pools_of(const Json& context) {
  std::vector<test::PoolShape> pools;
  for (const Json& pool : context.at("pools")) {
    pools.push_back({.id = pool.at("poolId"), .stride_bytes = pool.at("strideBytes")});
  }
  return pools;
}

/// Gives the descriptor of `seq` to a fresh receiver. The outcome is `frame`, then `frames` holds
/// it, or the row of the drop table that was counted.
std::string read(const test::HeapStream<DefaultAtom>& stream, std::uint64_t seq,
                 std::vector<test::Delivered>& frames) {
  consumer::FrameReceiver<DefaultAtom> sut({.stream_id = 1});
  sut.attach(stream.memory(), 3);
  const ConsumerCounters before = sut.counters();
  sut.on_descriptor({.stream_id = 1, .epoch = 3, .seq = seq}, false,
                    [&](const consumer::Frame<DefaultAtom>& frame) {
                      frames.push_back({.seq = frame.seq,
                                        .info = frame.tensor->info,
                                        .payload = {frame.payload.begin(), frame.payload.end()},
                                        .timestamp_ns = frame.timestamp_ns,
                                        .meta_version = frame.meta_version});
                      return consumer::Use::kDone;
                    });
  EXPECT_TRUE(sut.check_invariants());
  for (const auto& [name, by] : test::changes(before, sut.counters())) {
    EXPECT_EQ(by, 1U) << name;
    if (name == "frames_ok") {
      return "frame";
    }
    if (name.starts_with("drops_") && name != "drops_late") {
      return std::string(name.substr(6));
    }
  }
  return "nothing";
}

/// A writer that starts at `seq` has to leave exactly `expected` in the slot of that number.
void expect_written(std::uint32_t nslots, const std::vector<test::PoolShape>& pools,
                    std::uint64_t seq, const Json& fields, const std::vector<std::byte>& payload,
                    std::span<const std::byte> expected) {
  test::HeapStream<DefaultAtom> stream(nslots, pools);
  producer::FrameWriter<DefaultAtom> sut(stream.memory(),
                                         {.stream_id = 1, .epoch = 3, .first_seq = seq});
  sut.set_meta_version(fields.at("metaVersion"));
  ASSERT_EQ(sut.publish(tensor_of(fields.at("tensor")), payload, fields.at("timestampNs")),
            PublishStatus::kPublished);
  const auto bytes = stream.slot_bytes(stream.memory().index_of(seq));
  EXPECT_TRUE(std::equal(bytes.begin(), bytes.end(), expected.begin(), expected.end()));
}

TEST(SlotHeader, of_every_golden_slot_is_read_as_the_vector_says) {
  TP_REQ("W24", "W25", "W26", "W28", "W29", "W31", "W34", "W47", "W48", "W55", "W164", "W165");
  int slots = 0;
  for (const Json& line : test::golden_lines("shm.jsonl")) {
    if (line.at("kind") != "slot") {
      continue;
    }
    ++slots;
    SCOPED_TRACE(line.at("case").get<std::string>());
    const std::uint64_t seq = line.at("read_seq");
    const Json& context = line.at("context");
    test::HeapStream<DefaultAtom> stream(context.at("nslots"), pools_of(context));
    stream.set_slot_bytes(stream.memory().index_of(seq),
                          test::bytes_of_hex(line["hex"].get<std::string>()));
    std::vector<test::Delivered> frames;
    EXPECT_EQ(read(stream, seq, frames), line.at("outcome").get<std::string>());
    if (line.contains("effective_strides")) {
      ASSERT_EQ(frames.size(), 1U);
      const auto& strides = frames[0].info.strides;
      const std::vector<std::int64_t> expected = line["effective_strides"];
      EXPECT_TRUE(std::equal(expected.begin(), expected.end(), strides.begin()));
    }
  }
  EXPECT_GT(slots, 10);
}

TEST(SlotHeader, of_every_valid_golden_slot_is_written_byte_for_byte) {
  TP_REQ("W24", "W27", "W30", "W32", "W45", "W56", "W65", "W70", "W156", "W196");
  int slots = 0;
  for (const Json& line : test::golden_lines("shm.jsonl")) {
    if (line.at("kind") == "slot" && line.at("outcome") == "frame" && line.contains("fields")) {
      ++slots;
      SCOPED_TRACE(line.at("case").get<std::string>());
      const Json& fields = line.at("fields");
      expect_written(line.at("context").at("nslots"), pools_of(line.at("context")),
                     line.at("read_seq"), fields,
                     std::vector<std::byte>(fields.at("valuesLenBytes").get<std::size_t>()),
                     test::bytes_of_hex(line["hex"].get<std::string>()));
    }
  }
  EXPECT_GE(slots, 2);
}

TEST(SlotHeader, of_every_golden_ring_is_read_and_written_with_its_payload) {
  TP_REQ("W4", "W5", "W32", "W49", "W50", "W60", "W164", "W165", "W257");
  const auto lines = test::golden_lines("shm.jsonl");
  int rings = 0;
  for (const Json& ring : lines) {
    if (ring.at("kind") != "header_ring") {
      continue;
    }
    ++rings;
    SCOPED_TRACE(ring.at("case").get<std::string>());
    const std::string pool_case = "pool" + ring.at("case").get<std::string>().substr(4);
    const auto pool = std::find_if(lines.begin(), lines.end(), [&](const Json& line) {
      return line.at("kind") == "payload_pool" && line.at("case") == pool_case;
    });
    ASSERT_NE(pool, lines.end());
    const std::uint32_t nslots = ring.at("superblock").at("nslots");
    const std::vector<test::PoolShape> pools{
        {.id = pool->at("superblock").at("poolId"),
         .stride_bytes = pool->at("superblock").at("strideBytes")}};
    const auto header_bytes = test::bytes_of_hex(ring.at("hex").get<std::string>());
    const auto pool_bytes = test::bytes_of_hex(pool->at("hex").get<std::string>());
    ASSERT_EQ(header_bytes.size(), layout::header_ring_bytes(nslots));
    ASSERT_EQ(pool_bytes.size(), layout::payload_pool_bytes(nslots, pools[0].stride_bytes));

    test::HeapStream<DefaultAtom> stream(nslots, pools);
    const auto slot = [&](std::size_t index) {
      return std::span(header_bytes)
          .subspan(layout::kSuperblockBytes + index * layout::kHeaderSlotBytes,
                   layout::kHeaderSlotBytes);
    };
    for (std::uint32_t index = 0; index < nslots; ++index) {
      stream.set_slot_bytes(index, slot(index));
      std::copy_n(pool_bytes.begin() + static_cast<std::ptrdiff_t>(layout::kSuperblockBytes +
                                                                   index * pools[0].stride_bytes),
                  pools[0].stride_bytes, stream.payload(0, index).begin());
    }
    for (const Json& expected : ring.at("reads")) {
      SCOPED_TRACE(expected.at("seq"));
      std::vector<test::Delivered> frames;
      EXPECT_EQ(read(stream, expected.at("seq"), frames),
                expected.at("outcome").get<std::string>());
      if (expected.at("outcome") == "frame") {
        ASSERT_EQ(frames.size(), 1U);
        EXPECT_EQ(frames[0].info, tensor_of(expected.at("fields").at("tensor")));
        EXPECT_EQ(frames[0].timestamp_ns, expected.at("fields").at("timestampNs"));
        EXPECT_EQ(frames[0].meta_version, expected.at("fields").at("metaVersion"));
        EXPECT_EQ(frames[0].payload,
                  test::bytes_of_hex(expected.at("payload_hex").get<std::string>()));
        expect_written(nslots, pools, expected.at("seq"), expected.at("fields"), frames[0].payload,
                       slot(expected.at("slot")));
      }
    }
  }
  EXPECT_EQ(rings, 2);
}

TEST(SlotHeader, carries_any_tensor_there_and_back_whatever_lies_in_the_pads) {
  TP_REQ("W26", "W30", "W31", "W56", "W57");
  EXPECT_TRUE(rc::check("decode is the inverse of encode and ignores pads", [] {
    const Result<tensor::Layout> layout = tensor::resolve(*test::any_tensor());
    RC_PRE(layout.has_value());
    const auto fits = [](std::int64_t stride) { return stride <= INT32_MAX; };
    RC_PRE(std::all_of(layout->info.strides.begin(), layout->info.strides.end(), fits));
    SlotWords words = encode_tensor_words(*layout);
    layout::Slot slot = as_slot(words);
    const auto zero = [](std::byte b) { return b == std::byte{}; };
    RC_ASSERT(std::all_of(slot.pad.begin(), slot.pad.end(), zero));
    RC_ASSERT(std::all_of(slot.tail_pad.begin(), slot.tail_pad.end(), zero));
    RC_ASSERT(slot.pad_align == 0);

    const auto garbage = *rc::gen::arbitrary<std::uint8_t>();
    slot.pad.fill(std::byte{garbage});
    slot.tail_pad.fill(std::byte{garbage});
    slot.pad_align = garbage;
    for (std::size_t k = layout->info.ndims; k < kMaxDims; ++k) {
      slot.dims[k] = -garbage;
      slot.strides[k] = -garbage;
    }
    std::memcpy(words.data(), &slot, sizeof(slot));
    const Result<tensor::Layout> decoded = decode_tensor_words(words);
    RC_ASSERT(decoded.has_value());
    RC_ASSERT(decoded->info == layout->info);
    RC_ASSERT(decoded->extent_bytes == layout->extent_bytes);
  }));
}

TEST(SlotHeader, has_eight_dimensions_whatever_its_bytes_say) {
  TP_REQ("W36");
  static_assert(kMaxDims == 8);
  const Result<tensor::Layout> layout = tensor::resolve(test::bytes_tensor(1));
  ASSERT_TRUE(layout.has_value());
  for (unsigned ndims = 0; ndims < 256; ++ndims) {
    for (const std::byte other :
         {std::byte{0}, std::byte{9}, std::byte{0xFF}}) {  // in every byte that has no meaning
      layout::Slot slot = as_slot(encode_tensor_words(*layout));
      slot.ndims = static_cast<std::uint8_t>(ndims);
      slot.pad_align = std::to_integer<std::uint8_t>(other);
      slot.pad.fill(other);
      slot.tail_pad.fill(other);
      slot.dims.fill(1);
      slot.strides.fill(1);
      SlotWords words;
      std::memcpy(words.data(), &slot, sizeof(slot));
      EXPECT_EQ(decode_tensor_words(words).has_value(), ndims >= 1 && ndims <= 8) << ndims;
    }
  }
}

TEST(SlotHeader, frame_fields_are_kept_at_their_limits) {
  TP_REQ("W195", "W197");
  SlotWords words{};
  const FrameFields fields{.values_len_bytes = 0xFFFF'FFFF,
                           .payload_slot = 0x8000'0001,
                           .pool_id = 0xFFFE,
                           .payload_offset = 0x0102'0304,
                           .timestamp_ns = layout::kTimestampNone,
                           .meta_version = layout::kMetaVersionNull};
  encode_frame_words(fields, words);
  const FrameFields decoded = decode_frame_words(words);
  EXPECT_EQ(decoded.values_len_bytes, fields.values_len_bytes);
  EXPECT_EQ(decoded.payload_slot, fields.payload_slot);
  EXPECT_EQ(decoded.pool_id, fields.pool_id);
  EXPECT_EQ(decoded.payload_offset, fields.payload_offset);
  EXPECT_EQ(decoded.timestamp_ns, fields.timestamp_ns);
  EXPECT_EQ(decoded.meta_version, fields.meta_version);
}

TEST(SlotHeader, of_arbitrary_bytes_never_leads_outside_the_pools) {
  TP_REQ("W26", "W33", "W47", "W48", "W268", "W274");
  const auto& golden = test::golden_lines("shm.jsonl");
  const auto valid = std::find_if(golden.begin(), golden.end(), [](const Json& line) {
    return line.at("kind") == "slot" && line.at("outcome") == "frame";
  });
  ASSERT_NE(valid, golden.end());
  const auto valid_bytes = test::bytes_of_hex(valid->at("hex").get<std::string>());
  EXPECT_TRUE(rc::check("a frame that is handed out lies in its slot of a pool", [&] {
    Link<> link({.nslots = 4});
    auto bytes = valid_bytes;
    for (auto changes = *rc::gen::inRange(0, 3); changes > 0; --changes) {
      bytes[*rc::gen::inRange<std::size_t>(8, 155)] =
          std::byte{*rc::gen::arbitrary<std::uint8_t>()};
    }
    link.stream.set_slot_bytes(1, bytes);
    link.stream.set_word(1, committed(1));
    link.stream.poke(1, offsetof(layout::Slot, payload_slot),
                     *rc::gen::weightedElement<std::uint32_t>({{9, 1}, {1, 2}}));
    link.stream.poke(1, offsetof(layout::Slot, pool_id), *rc::gen::inRange<std::uint16_t>(0, 4));
    link.stream.poke(1, offsetof(layout::Slot, values_len_bytes),
                     *rc::gen::inRange<std::uint32_t>(0, 300));
    bool inside = true;
    link.during_callback = [&](const auto& frame) {
      const bool first = frame.payload.data() == link.stream.payload(0, 1).data();
      inside = (first || frame.payload.data() == link.stream.payload(1, 1).data()) &&
               frame.payload.size() <= (first ? 64U : 256U);
      return consumer::Use::kDone;
    };
    const int delivered = link.hear({.stream_id = Link<>::kStream, .epoch = 3, .seq = 1});
    RC_CLASSIFY(delivered == 1, "delivered");
    RC_ASSERT(inside);
    RC_ASSERT(link.reader.check_invariants());
  }));
}

}  // namespace
}  // namespace tensorpool::core::ring
