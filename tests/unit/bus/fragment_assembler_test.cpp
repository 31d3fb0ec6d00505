// Messages of several fragments: whole, or not at all.
#include "bus/fragment_assembler.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <string>

#include "support/requirement.hpp"

namespace tensorpool::bus {
namespace {

constexpr std::size_t kPayloadMax = 100;

/// Cuts messages into fragments as a publication does, each with its place in the log.
class Log {
 public:
  explicit Log(std::int32_t session_id) : session_id_(session_id) {}

  std::vector<FragmentAssembler::Fragment> append(std::string message) {
    kept_.push_back(std::move(message));
    const std::string& text = kept_.back();
    std::vector<FragmentAssembler::Fragment> fragments;
    for (std::size_t at = 0; at == 0 || at < text.size(); at += kPayloadMax) {
      const std::size_t size = std::min(kPayloadMax, text.size() - at);
      std::uint8_t flags = 0;
      flags = static_cast<std::uint8_t>(flags | (at == 0 ? FragmentAssembler::kBegin : 0));
      flags = static_cast<std::uint8_t>(flags |
                                        (at + size == text.size() ? FragmentAssembler::kEnd : 0));
      fragments.push_back({.session_id = session_id_,
                           .term_id = 5,
                           .term_offset = offset_,
                           .flags = flags,
                           .bytes = std::as_bytes(std::span(text.data() + at, size))});
      offset_ += static_cast<std::int32_t>((size + 32 + 31) / 32 * 32);
    }
    return fragments;
  }

 private:
  std::int32_t session_id_;
  std::int32_t offset_ = 0;
  std::deque<std::string> kept_;
};

std::string add_all(FragmentAssembler& sut,
                    const std::vector<FragmentAssembler::Fragment>& fragments) {
  std::string whole;
  for (const auto& fragment : fragments) {
    const auto message = sut.add(fragment);
    whole.assign(reinterpret_cast<const char*>(message.data()), message.size());
  }
  return whole;
}

TEST(FragmentAssembler, passes_a_single_fragment_through_without_a_copy) {
  FragmentAssembler sut;
  Log log(1);
  const auto fragments = log.append("short");
  ASSERT_EQ(fragments.size(), 1U);
  EXPECT_EQ(sut.add(fragments[0]).data(), fragments[0].bytes.data());
}

TEST(FragmentAssembler, puts_interleaved_messages_of_many_sessions_together) {
  TP_REQ("W73");
  ASSERT_TRUE(rc::check([] {
    const auto sizes = *rc::gen::container<std::array<std::size_t, 8>>(
        rc::gen::inRange<std::size_t>(0, 6 * kPayloadMax));
    FragmentAssembler sut;
    std::map<std::int32_t, Log> logs;
    std::vector<std::pair<std::deque<FragmentAssembler::Fragment>, std::string>> in_flight;
    std::int32_t session = 0;
    for (const std::size_t size : sizes) {
      std::string text(size, static_cast<char>('a' + session % 26));
      auto fragments = logs.try_emplace(session, session).first->second.append(text);
      in_flight.push_back({{fragments.begin(), fragments.end()}, text});
      ++session;
    }
    while (!in_flight.empty()) {
      const auto pick = *rc::gen::inRange<std::size_t>(0, in_flight.size());
      auto& [fragments, text] = in_flight[pick];
      const auto message = sut.add(fragments.front());
      fragments.pop_front();
      if (fragments.empty()) {
        RC_ASSERT(std::string(reinterpret_cast<const char*>(message.data()), message.size()) ==
                  text);
        in_flight.erase(in_flight.begin() + static_cast<std::ptrdiff_t>(pick));
      } else {
        RC_ASSERT(message.data() == nullptr);
      }
    }
  }));
}

TEST(FragmentAssembler, any_lost_or_doubled_fragment_costs_its_message_and_no_other) {
  TP_REQ("W73");
  constexpr std::size_t kFragments = 4;
  for (std::size_t victim = 0; victim < kFragments; ++victim) {
    for (const bool doubled : {false, true}) {
      FragmentAssembler sut;
      Log log(1);
      auto broken = log.append(std::string(kFragments * kPayloadMax, 'x'));
      ASSERT_EQ(broken.size(), kFragments);
      const auto at = broken.begin() + static_cast<std::ptrdiff_t>(victim);
      if (doubled) {
        broken.insert(at, *at);
      } else {
        broken.erase(at);
      }
      // A doubled first fragment begins anew, and a doubled last one comes after the end.
      const bool harmless = doubled && (victim == 0 || victim + 1 == kFragments);
      std::size_t completed = 0;
      for (const auto& fragment : broken) {
        completed += sut.add(fragment).data() != nullptr ? 1 : 0;
      }
      EXPECT_EQ(completed, harmless ? 1U : 0U) << victim << doubled;
      const std::string next(3 * kPayloadMax, 'y');
      EXPECT_EQ(add_all(sut, log.append(next)), next);
    }
  }
}

TEST(FragmentAssembler, a_fragment_of_another_term_is_none_of_the_message) {
  FragmentAssembler sut;
  Log log(1);
  auto fragments = log.append(std::string(2 * kPayloadMax, 'x'));
  fragments[1].term_id = 6;
  EXPECT_EQ(add_all(sut, fragments), "");
}

TEST(FragmentAssembler, forgets_the_session_that_was_quiet_for_longest_when_there_are_too_many) {
  FragmentAssembler sut;
  std::vector<std::vector<FragmentAssembler::Fragment>> halves;
  std::deque<Log> logs;
  const auto begin = [&](std::int32_t session) {
    auto fragments = logs.emplace_back(session).append(std::string(2 * kPayloadMax, 'x'));
    EXPECT_EQ(sut.add(fragments[0]).data(), nullptr);
    halves.push_back(std::move(fragments));
  };
  constexpr auto kSessions = static_cast<std::int32_t>(FragmentAssembler::kSessionsMax);
  for (std::int32_t session = 0; session <= kSessions; ++session) {
    begin(session);
  }
  EXPECT_EQ(sut.add(halves[0][1]).data(), nullptr);
  for (std::size_t session = 1; session < halves.size(); ++session) {
    EXPECT_EQ(sut.add(halves[session][1]).size(), 2 * kPayloadMax) << session;
  }
}

TEST(FragmentAssembler, a_message_without_end_is_dropped_at_the_limit) {
  FragmentAssembler sut;
  const std::vector<std::byte> bytes(1024 * 1024);
  FragmentAssembler::Fragment fragment{.session_id = 1,
                                       .term_id = 5,
                                       .term_offset = 0,
                                       .flags = FragmentAssembler::kBegin,
                                       .bytes = bytes};
  for (int i = 0; i < 17; ++i) {
    ASSERT_EQ(sut.add(fragment).data(), nullptr);
    fragment.flags = 0;
    fragment.term_offset += 1024 * 1024 + 32;
  }
  fragment.flags = FragmentAssembler::kEnd;
  EXPECT_EQ(sut.add(fragment).data(), nullptr);
}

}  // namespace
}  // namespace tensorpool::bus
