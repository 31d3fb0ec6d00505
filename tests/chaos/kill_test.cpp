// Kills one process at each of the points where the code has one, and asks for everything back.
//
// Every run lives through the life of a stream: names, attach, frames, detach, revocation, epochs,
// collection, shutdown, restart. The doomed process dies on the way; as with a service manager,
// whoever ends is started anew. In the end frames flow, everybody holds a lease, the name has its
// number, nothing is torn, every number is accounted for, and nothing lies about.
//
// TENSORPOOL_CHAOS_TABLE=FILE collects a line of JSON per run, for docs/guide/when-x-dies.md.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>

#include "chaos/fleet.hpp"
#include "support/requirement.hpp"

namespace tensorpool::chaos {
namespace {

using test::Arguments;

[[nodiscard]] std::int64_t ms(std::chrono::steady_clock::duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

/// What happens to a stream, one after the other; calls `between` in between.
template <class Between>
void live(Fleet& fleet, Between&& between) {
  fleet.start();
  between("start");
  if (::testing::Test::HasFatalFailure()) {
    return;
  }
  fleet.tp({"attach", "cam", "--hold", "0.1", "--once"});
  between("a consumer comes and goes");
  fleet.revoke_all();
  between("leases are revoked");
  EXPECT_TRUE(fleet.comes_back(Role::kProducer, [&] { fleet.send(Role::kProducer, SIGINT); }));
  between("the producer is restarted");
  EXPECT_TRUE(fleet.comes_back(Role::kConsumer, [&] { fleet.send(Role::kConsumer, SIGINT); }));
  between("the consumer is restarted");
  fleet.ask({.operation = admin::Operation::kCollect});
  EXPECT_TRUE(fleet.comes_back(Role::kDriver, [&] { fleet.tp({"down"}); }));
  between("the driver is restarted");
}

[[nodiscard]] const char* table_file() {
  return std::getenv("TENSORPOOL_CHAOS_TABLE");
}

void begin_table() {
  if (table_file() != nullptr) {
    std::ofstream(table_file(), std::ios::trunc);
  }
}

void note(const std::string& point, Role victim, std::chrono::steady_clock::duration back,
          const Observer::Findings& findings) {
  if (table_file() == nullptr) {
    return;
  }
  const nlohmann::json line = {{"v", 1},
                               {"point", point},
                               {"victim", name_of(victim)},
                               {"back_ms", ms(back)},
                               {"silence_ms", ms(findings.silence)},
                               {"readers_are_told", findings.told}};
  std::ofstream(table_file(), std::ios::app) << line.dump() << "\n";
}

class Killed : public ::testing::Test {
 public:
  Killed(Role victim, std::string point) : victim_(victim), point_(std::move(point)) {}
  virtual void arrange(Fleet& fleet) { fleet.doom(victim_, point_); }
  /// `after`: what has just been done.
  virtual void interfere(Fleet&, std::string_view) {}

  void TestBody() override {
    TP_REQ("D139");
    Fleet fleet(Pace::kQuick);
    arrange(fleet);
    Fleet::Clock::duration back{};
    bool alive = true;
    live(fleet, [&](const char* after) {
      const bool had_died = back != Fleet::Clock::duration{};
      interfere(fleet, after);
      alive = alive && fleet.is_whole_again() && fleet.flows();
      ASSERT_TRUE(alive) << after;
      if (!had_died && fleet.died_at()) {
        back = Fleet::Clock::now() - *fleet.died_at();
      }
    });
    ASSERT_TRUE(fleet.died_at()) << point_ << " was never visited";
    const Observer::Findings findings = fleet.observer().finish();
    EXPECT_EQ(findings.torn, 0U);
    EXPECT_EQ(findings.backwards, 0U);
    EXPECT_EQ(findings.unbalanced, 0U);
    fleet.finish();
    EXPECT_EQ(fleet.litter(), "");
    note(point_, victim_, back, findings);
  }

 private:
  Role victim_;
  std::string point_;
};

/// Killed from outside when something has just been done.
class KilledAfter : public Killed {
 public:
  KilledAfter(Role victim, std::string after)
      : Killed(victim, "after: " + after), victim_(victim), after_(std::move(after)) {}
  void arrange(Fleet&) override {}
  void interfere(Fleet& fleet, std::string_view after) override {
    if (after == after_) {
      fleet.kill(victim_);
    }
  }

 private:
  Role victim_;
  std::string after_;
};

/// The points that the code has, as tp lists them.
[[nodiscard]] std::vector<std::string> points() {
  const test::ScratchDirectory scratch;
  test::TpProcess sut({"version"}, {.outputs = scratch.path() + "/tp",
                                    .aeron_dir = scratch.path(),
                                    .environment = {{"TENSORPOOL_KILLPOINT", "list"}}});
  EXPECT_EQ(sut.wait(), 0);
  std::vector<std::string> found;
  std::istringstream lines(sut.err());
  for (std::string line; std::getline(lines, line);) {
    found.push_back(line);
  }
  return found;
}

/// Points on ways that this life does not take.
constexpr std::string_view kElsewhere[] = {
    "producer.claim.taken",     // tp pub copies
    "driver.provision.sparse",  // without prefault
    "driver.shutdown.judged",   // asked for with a token, on the control stream
};

template <class Test>
void add(const std::string& where, Role victim) {
  std::string name = std::string(name_of(victim)) + "_dies_at_" + where;
  std::replace_if(
      name.begin(), name.end(), [](char byte) { return byte == '.' || byte == ' '; }, '_');
  ::testing::RegisterTest("Chaos", name.c_str(), nullptr, nullptr, __FILE__, __LINE__,
                          [=]() -> Killed* { return new Test(victim, where); });
}

void add_all() {
  for (const std::string& point : points()) {
    if (std::find(std::begin(kElsewhere), std::end(kElsewhere), point) != std::end(kElsewhere)) {
      continue;
    }
    const std::string_view role = std::string_view(point).substr(0, point.find('.'));
    if (role == "driver") {
      add<Killed>(point, Role::kDriver);
    }
    if (role == "producer" || role == "client") {
      add<Killed>(point, Role::kProducer);
    }
    if (role == "consumer" || role == "client") {
      add<Killed>(point, Role::kConsumer);
    }
  }
  for (const char* const after : {"start", "leases are revoked", "the driver is restarted"}) {
    add<KilledAfter>(after, Role::kMediaDriver);
  }
}

}  // namespace
}  // namespace tensorpool::chaos

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  tensorpool::chaos::begin_table();
  tensorpool::chaos::add_all();
  return RUN_ALL_TESTS();
}
