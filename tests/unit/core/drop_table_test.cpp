// The drop table of §1.14, row by row: each case moves exactly the counters of its row.
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "support/link_fixture.hpp"
#include "support/probe_atom.hpp"
#include "support/requirement.hpp"

namespace tensorpool::core::consumer {
namespace {

using test::Changes;
using test::ProbeAtom;
using Edge = base::Edge;
using Sut = test::Link<ProbeAtom>;
using Descriptor = consumer::Descriptor;

class DropTable : public testing::Test {
 protected:
  DropTable() { ProbeAtom::probe() = {}; }
  /// Publishes frame 1 and hears of it after `change` was done to its slot, which is slot 1.
  Changes after(const std::function<void(Sut&)>& change) {
    Sut sut({.nslots = 4});
    sut.hear(sut.publish());
    const Descriptor descriptor = sut.publish();
    change(sut);
    sut.mark();
    const std::size_t delivered = sut.frames.size();
    sut.hear(descriptor);
    EXPECT_TRUE(sut.reader.check_invariants());
    const Changes moved = sut.moved();
    EXPECT_EQ(sut.frames.size() - delivered, moved.count("frames_ok"));
    // The next frame is processed normally (W274).
    EXPECT_EQ(sut.hear(sut.publish()), 1);
    return moved;
  }
  /// The same, with the slot overwritten just before the reader passes `edge`.
  Changes when(Edge edge, std::function<void(Sut&)> change) {
    return after(
        [&](Sut& sut) { ProbeAtom::probe().before(edge, [&sut, change] { change(sut); }); });
  }
  template <class T>
  static std::function<void(Sut&)> poke(std::size_t offset, T value) {
    return [=](Sut& sut) { sut.stream.poke(1, offset, value); };
  }
};

TEST_F(DropTable, delivered) {
  TP_REQ("W280");
  EXPECT_EQ(after([](Sut&) {}), (Changes{{"frames_ok", 1}}));
}

TEST_F(DropTable, gap) {
  TP_REQ("W260", "W278");
  Sut sut({.nslots = 8});
  sut.hear(sut.publish());
  sut.publish_many(3);
  sut.mark();
  EXPECT_EQ(sut.hear(sut.publish()), 1);
  EXPECT_EQ(sut.moved(), (Changes{{"drops_gap", 3}, {"frames_ok", 1}}));
}

TEST_F(DropTable, resync) {
  TP_REQ("W265", "W266", "W278");
  Sut sut({.nslots = 16, .max_outstanding_seq_gap = 2});
  sut.hear(sut.publish());
  sut.publish_many(3);
  const Descriptor jump = sut.publish();    // 4: a gap of 3
  const Descriptor queued = sut.publish();  // 5
  sut.publish();                            // 6: its descriptor was lost
  const Descriptor newest = sut.publish();  // 7
  sut.mark();
  EXPECT_EQ(sut.hear(jump), 0);
  EXPECT_TRUE(sut.reader.draining());
  EXPECT_EQ(sut.hear(queued), 0);
  EXPECT_EQ(sut.hear(newest), 0);
  EXPECT_EQ(sut.drained(), 1);
  EXPECT_FALSE(sut.reader.draining());
  EXPECT_EQ(sut.frames.back().seq, 7U);
  EXPECT_EQ(sut.reader.last_seq(), 7U);
  EXPECT_EQ(sut.moved(), (Changes{{"drops_gap", 6}, {"resyncs", 1}, {"frames_ok", 1}}));
  EXPECT_TRUE(sut.reader.check_invariants());
}

TEST_F(DropTable, in_progress) {
  TP_REQ("W164", "W169", "W274", "W278");
  EXPECT_EQ(after([](Sut& sut) { sut.stream.set_word(1, ring::in_progress(1)); }),
            (Changes{{"drops_late", 1}, {"drops_in_progress", 1}}));
  EXPECT_EQ(after([](Sut& sut) { sut.stream.set_word(1, ring::in_progress(5)); }),
            (Changes{{"drops_late", 1}, {"drops_in_progress", 1}}));
}

TEST_F(DropTable, seq_mismatch) {
  TP_REQ("W165", "W278");
  EXPECT_EQ(after([](Sut& sut) { sut.stream.set_word(1, ring::committed(5)); }),
            (Changes{{"drops_late", 1}, {"drops_seq_mismatch", 1}}));
}

TEST_F(DropTable, implausible_descriptors_move_no_tracking) {
  TP_REQ("W257", "W177");
  for (const bool committed : {true, false}) {
    Sut sut({.nslots = 4});
    const Descriptor first = sut.publish();
    sut.hear(first);
    if (!committed) {
      sut.stream.set_word(1, ring::in_progress(1));
    }
    sut.mark();
    Descriptor ahead = first;
    ahead.seq = committed ? 4 : 5;
    EXPECT_EQ(sut.hear(ahead), 0);
    EXPECT_EQ(sut.moved(), (Changes{{"drops_late", 1},
                                    {committed ? "drops_seq_mismatch" : "drops_in_progress", 1},
                                    {"implausible", 1}}));
    EXPECT_EQ(sut.reader.last_seq(), 0U);
    EXPECT_TRUE(sut.reader.check_invariants());
  }
}

TEST_F(DropTable, changed_between_the_two_loads) {
  TP_REQ("W167", "W278");
  const auto overwrite = [](Sut& sut) { sut.stream.set_word(1, ring::in_progress(5)); };
  const Changes changed{{"drops_late", 1}, {"drops_changed", 1}};
  EXPECT_EQ(when(Edge::kHeaderLoad, overwrite), changed);
  EXPECT_EQ(when(Edge::kSecondFence, overwrite), changed);
  EXPECT_EQ(when(Edge::kSecondLoad, overwrite), changed);
  // A lower word that shows up there is a change as well (W177).
  EXPECT_EQ(when(Edge::kSecondLoad, [](Sut& sut) { sut.stream.set_word(1, ring::committed(0)); }),
            changed);
}

TEST_F(DropTable, a_torn_header_is_changed_and_never_header_invalid) {
  TP_REQ("W168", "W269");
  EXPECT_EQ(when(Edge::kHeaderLoad,
                 [](Sut& sut) {
                   sut.stream.set_word(1, ring::in_progress(5));
                   sut.stream.poke(1, offsetof(layout::Slot, ndims), std::uint8_t{99});
                 }),
            (Changes{{"drops_late", 1}, {"drops_changed", 1}}));
}

TEST_F(DropTable, changed_after_use_stays_delivered) {
  TP_REQ("W170", "W172", "W280", "W278");
  const Changes expected{
      {"frames_ok", 1}, {"drops_late", 1}, {"drops_changed", 1}, {"changed_after_use", 1}};
  EXPECT_EQ(
      when(Edge::kAfterUseFence, [](Sut& sut) { sut.stream.set_word(1, ring::in_progress(5)); }),
      expected);
  EXPECT_EQ(when(Edge::kAfterUseLoad, [](Sut& sut) { sut.stream.set_word(1, ring::committed(5)); }),
            expected);
}

TEST_F(DropTable, a_kept_frame_is_counted_once_by_whoever_keeps_it) {
  TP_REQ("W173");
  Sut sut({.nslots = 4});
  sut.during_callback = [](const Sut::Frame&) { return Use::kKept; };
  sut.hear(sut.publish());
  sut.publish_many(4);
  EXPECT_EQ(sut.moved(), (Changes{{"frames_ok", 1}}));
  sut.reader.report_changed_after_use();
  EXPECT_EQ(
      sut.moved(),
      (Changes{
          {"frames_ok", 1}, {"drops_late", 1}, {"drops_changed", 1}, {"changed_after_use", 1}}));
  EXPECT_TRUE(sut.reader.check_invariants());
}

TEST_F(DropTable, header_invalid) {
  TP_REQ("W28", "W29", "W33", "W34", "W52", "W53", "W54", "W55", "W58", "W59", "W62", "W68",
         "W278");
  using layout::Slot;
  const Changes expected{{"drops_late", 1}, {"drops_header_invalid", 1}};
  const struct {
    const char* what;
    std::function<void(Sut&)> change;
  } rows[] = {
      {"headerBytes length", poke(offsetof(Slot, header_bytes_length), 191U)},
      {"blockLength", poke(offsetof(Slot, block_length), std::uint16_t{183})},
      {"templateId", poke(offsetof(Slot, template_id), std::uint16_t{51})},
      {"schemaId", poke(offsetof(Slot, schema_id), std::uint16_t{901})},
      {"version", poke(offsetof(Slot, version), std::uint16_t{2})},
      {"dtype", poke(offsetof(Slot, dtype), std::int16_t{12})},
      {"majorOrder", poke(offsetof(Slot, major_order), std::int16_t{0})},
      {"ndims 0", poke(offsetof(Slot, ndims), std::uint8_t{0})},
      {"ndims 9", poke(offsetof(Slot, ndims), std::uint8_t{9})},
      {"progressUnit", poke(offsetof(Slot, progress_unit), std::uint8_t{3})},
      {"progressStrideBytes",
       [](Sut& sut) {
         sut.stream.poke(1, offsetof(Slot, progress_unit), std::uint8_t{1});
         sut.stream.poke(1, offsetof(Slot, progress_stride_bytes), 3U);
       }},
      {"dims", poke(offsetof(Slot, dims), std::int32_t{-1})},
      {"strides", poke(offsetof(Slot, strides), std::int32_t{-1})},
      {"payloadSlot", poke(offsetof(Slot, payload_slot), 0U)},
      {"payloadOffset", poke(offsetof(Slot, payload_offset), 8U)},
      {"the header comes before the payload",
       [](Sut& sut) {
         sut.stream.poke(1, offsetof(Slot, payload_offset), 8U);
         sut.stream.poke(1, offsetof(Slot, pool_id), std::uint16_t{9});
       }},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(after(row.change), expected) << row.what;
  }
}

TEST_F(DropTable, payload_invalid) {
  TP_REQ("W47", "W48", "W278");
  const Changes expected{{"drops_late", 1}, {"drops_payload_invalid", 1}};
  EXPECT_EQ(after(poke(offsetof(layout::Slot, pool_id), std::uint16_t{9})), expected);
  EXPECT_EQ(after(poke(offsetof(layout::Slot, values_len_bytes), 65U)), expected);
  EXPECT_EQ(after(poke(offsetof(layout::Slot, values_len_bytes), 64U)),
            (Changes{{"frames_ok", 1}}));
}

TEST_F(DropTable, epoch_mismatch) {
  TP_REQ("W245", "W256", "W278");
  Sut sut({.nslots = 4});
  Descriptor descriptor = sut.publish();
  descriptor.epoch = Sut::kEpoch - 1;
  EXPECT_EQ(sut.hear(descriptor), 0);
  EXPECT_EQ(sut.moved(), (Changes{{"drops_epoch_mismatch", 1}}));
  EXPECT_EQ(sut.reader.unmap_wanted(), std::nullopt);
  descriptor.epoch = Sut::kEpoch + 1;
  EXPECT_EQ(sut.hear(descriptor), 0);
  EXPECT_EQ(sut.moved(), (Changes{{"drops_epoch_mismatch", 2}}));
  EXPECT_EQ(sut.reader.unmap_wanted(), UnmapCause::kHigherEpochSeen);
  // Nothing is accepted from then on, by either route.
  EXPECT_EQ(sut.hear(sut.publish()), 0);
  EXPECT_EQ(sut.follow(), 0);
  EXPECT_EQ(sut.moved(), (Changes{{"drops_epoch_mismatch", 2}, {"drops_unmapped", 1}}));
}

TEST_F(DropTable, unmapped) {
  TP_REQ("W244", "W256", "W278");
  Sut sut({.nslots = 4});
  const Descriptor descriptor = sut.publish();
  sut.reader.detach();
  sut.mark();
  EXPECT_EQ(sut.hear(descriptor), 0);
  EXPECT_EQ(sut.moved(), (Changes{{"drops_unmapped", 1}}));
  EXPECT_EQ(sut.reader.on_descriptor(descriptor, /*in_fallback=*/true, sut.sink()), 0);
  EXPECT_EQ(sut.moved(), (Changes{{"drops_unmapped", 1}}));
  EXPECT_TRUE(sut.frames.empty());
}

TEST_F(DropTable, duplicate) {
  TP_REQ("W261", "W278");
  Sut sut({.nslots = 4});
  const Descriptor descriptor = sut.publish();
  sut.hear(descriptor);
  sut.mark();
  EXPECT_EQ(sut.hear(descriptor), 0);
  EXPECT_EQ(sut.moved(), (Changes{{"drops_duplicate", 1}}));
  EXPECT_EQ(sut.reader.unmap_wanted(), std::nullopt);
}

TEST_F(DropTable, regression) {
  TP_REQ("W262", "W278");
  Sut sut({.nslots = 4});
  const Descriptor first = sut.publish();
  sut.hear(first);
  sut.hear(sut.publish());
  sut.mark();
  EXPECT_EQ(sut.hear(first), 0);
  EXPECT_EQ(sut.moved(), (Changes{{"seq_regressions", 1}}));
  EXPECT_EQ(sut.reader.unmap_wanted(), UnmapCause::kSequenceRegression);
}

TEST_F(DropTable, malformed) {
  TP_REQ("W255", "W278");
  Sut sut({.nslots = 4});
  Descriptor descriptor = sut.publish();
  descriptor.seq = layout::kSeqLimit;
  EXPECT_EQ(sut.hear(descriptor), 0);
  EXPECT_EQ(sut.moved(), (Changes{{"malformed_messages", 1}}));
}

TEST_F(DropTable, another_stream_is_ignored) {
  TP_REQ("W254");
  Sut sut({.nslots = 4});
  Descriptor descriptor = sut.publish();
  descriptor.stream_id = Sut::kStream + 1;
  EXPECT_EQ(sut.hear(descriptor), 0);
  EXPECT_EQ(sut.moved(), Changes{});
}

}  // namespace
}  // namespace tensorpool::core::consumer
