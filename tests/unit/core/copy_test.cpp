// Copies of payload: every byte and no other, whatever the kind, length and alignment. That the
// streaming copy is fenced is shown by disassembly (tests/binary).
#include "core/copy.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "support/requirement.hpp"

namespace tensorpool::core {
namespace {

constexpr std::byte kGuard{0xA5};

/// `bytes` pseudo-random bytes at `offset` behind a 64-byte boundary, guards around them.
struct Area {
  Area(std::size_t bytes, std::size_t offset) : store(bytes + 256, kGuard) {
    const auto misfit = reinterpret_cast<std::uintptr_t>(store.data()) % 64;
    inside = std::span(store).subspan(64 + (64 - misfit) % 64 + offset, bytes);
  }
  [[nodiscard]] bool guards_are_whole() const {
    const auto is_guard = [](std::byte b) { return b == kGuard; };
    const std::span<const std::byte> all(store);
    const auto before = static_cast<std::size_t>(inside.data() - store.data());
    const auto behind = all.subspan(before + inside.size());
    return std::all_of(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(before), is_guard) &&
           std::all_of(behind.begin(), behind.end(), is_guard);
  }
  std::vector<std::byte> store;
  std::span<std::byte> inside;
};

TEST(Copy, moves_every_byte_and_no_other) {
  TP_REQ("W155");
  EXPECT_TRUE(rc::check("copy_in and copy_out move exactly the range", [] {
    const auto bytes = *rc::gen::weightedOneOf<std::size_t>(
        {{2, rc::gen::inRange<std::size_t>(0, 300)},
         {3, rc::gen::inRange<std::size_t>(kSelfStreamingBytes - 70, kSelfStreamingBytes + 200)},
         {1, rc::gen::inRange<std::size_t>(0, 100'000)}});
    const auto offset = rc::gen::inRange<std::size_t>(0, 64);
    Area from(bytes, *offset);
    Area to(bytes, *offset);
    for (std::size_t k = 0; k < bytes; ++k) {
      from.inside[k] = static_cast<std::byte>(k * 131 + k / 251);
    }
    if (*rc::gen::arbitrary<bool>()) {
      const auto kind = *rc::gen::element(CopyKind::kCached, CopyKind::kStreaming);
      copy_in(to.inside.data(), from.inside.data(), bytes, kind);
    } else {
      copy_out(to.inside.data(), from.inside.data(), bytes);
    }
    RC_ASSERT(std::equal(from.inside.begin(), from.inside.end(), to.inside.begin()));
    RC_ASSERT(to.guards_are_whole());
  }));
}

TEST(Copy, streams_exactly_when_the_pools_are_larger_than_a_known_cache) {
  EXPECT_EQ(choose_copy_kind(51, 100), CopyKind::kStreaming);
  EXPECT_EQ(choose_copy_kind(50, 100), CopyKind::kCached);
  EXPECT_EQ(choose_copy_kind(0, 100), CopyKind::kCached);
  EXPECT_EQ(choose_copy_kind(1ULL << 40U, 0), CopyKind::kCached);
}

}  // namespace
}  // namespace tensorpool::core
