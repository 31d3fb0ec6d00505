// Kills one process at each of the points where the code has one, and asks for everything back.
//
// Every run lives through the life of a stream: names, attach, frames, detach, revocation, epochs,
// collection, shutdown, restart. The doomed process dies on the way; as with a service manager,
// whoever ends is started anew. In the end frames flow, everybody holds a lease, the name has its
// number, nothing is torn, every number is accounted for, and nothing lies about.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <sstream>

#include "chaos/fleet.hpp"
#include "chaos/table.hpp"
#include "support/requirement.hpp"

namespace tensorpool::chaos {
namespace {

using test::Arguments;

/// Of all runs of this program.
[[nodiscard]] Table& table() {
  static Table kills("kills");
  return kills;
}

/// A death is found out about this long after it happened, at most.
constexpr auto kUnseen = std::chrono::milliseconds(20);

/// Points on ways that a stream takes only where it is told to.
constexpr std::string_view kClaimPoint = "producer.claim.taken";      // tp pub copies
constexpr std::string_view kMessagePoint = "driver.shutdown.judged";  // tp down uses the socket

/// What happens to a stream, one after the other; calls `between` in between.
template <class Between>
void live(Fleet& fleet, std::string_view point, Between&& between) {
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
  EXPECT_TRUE(fleet.comes_back(Role::kDriver, [&] {
    if (point == kMessagePoint) {
      fleet.stop_driver_by_message();
    } else {
      fleet.tp({"down"});
    }
  }));
  between("the driver is restarted");
}

/// What has the driver of this life come to a point at all.
[[nodiscard]] std::string_view policies_for(std::string_view point) {
  if (point == "driver.provision.sparse") {
    return "prefault_shm = false";
  }
  return point == "driver.shutdown.files" ? "cleanup_shm_on_exit = true" : "";
}

class Killed : public ::testing::Test {
 public:
  Killed(Role victim, std::string point) : victim_(victim), point_(std::move(point)) {}
  virtual void arrange(Fleet& fleet) { fleet.doom(victim_, point_); }
  /// `after`: what has just been done.
  virtual void interfere(Fleet&, std::string_view) {}

  void TestBody() override {
    TP_REQ("D139");
    Fleet fleet(Pace::kQuick, policies_for(point_));
    if (point_ == kClaimPoint) {
      fleet.use_claims();
    }
    arrange(fleet);
    Fleet::Clock::duration back{};
    bool alive = true;
    live(fleet, point_, [&](const char* after) {
      const bool had_died = back != Fleet::Clock::duration{};
      interfere(fleet, after);
      alive = alive && fleet.is_whole_again() && fleet.flows();
      ASSERT_TRUE(alive) << after;
      if (!had_died && fleet.died_at()) {
        back = Fleet::Clock::now() - *fleet.died_at();
      }
    });
    ASSERT_TRUE(fleet.died_at()) << point_ << " was never visited";
    const Observer::Noticed noticed =
        fleet.observer().noticed(*fleet.died_at() - kUnseen, *fleet.died_at() + back);
    const Observer::Findings findings = fleet.observer().finish();
    EXPECT_EQ(findings.torn, 0U);
    EXPECT_EQ(findings.backwards, 0U);
    EXPECT_EQ(findings.unbalanced, 0U);
    fleet.finish();
    EXPECT_EQ(fleet.litter(), "");
    table().add(victim_, point_, back, noticed);
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
  tensorpool::chaos::add_all();
  return RUN_ALL_TESTS();
}
