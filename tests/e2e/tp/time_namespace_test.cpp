// Publisher and subscriber in different time namespaces: they hear each other, map nothing, and say
// why.
#include <gmock/gmock.h>

#include "support/requirement.hpp"
#include "tp_process.hpp"

namespace tensorpool::test {
namespace {

using ::testing::HasSubstr;

class TpTimeNamespace : public TpTest {
 protected:
  /// `tp` where CLOCK_MONOTONIC is ahead of ours by 100,000 s. A signal does not reach it; it is
  /// killed with the object.
  [[nodiscard]] std::unique_ptr<TpProcess> start_ahead(const Arguments& arguments) {
    return run_ahead(TP_COMMAND, arguments);
  }
  [[nodiscard]] std::unique_ptr<TpProcess> run_ahead(const std::string& program,
                                                     const Arguments& arguments) {
    Surroundings where = surroundings();
    where.program = "/usr/bin/unshare";
    Arguments all = {"--time", "--kill-child", "--monotonic", "100000", "--", program};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return std::make_unique<TpProcess>(all, where);
  }
  [[nodiscard]] bool has_time_namespaces() { return run_ahead("/bin/true", {})->wait() == 0; }

  /// Waits for what `subscriber` has to say while it waits.
  static void expect_refusal(TpProcess& subscriber, const std::string& distance) {
    ASSERT_TRUE(subscriber.says("waiting for stream cam1: what it announces is refused"))
        << subscriber.err();
    const std::string said = subscriber.err();
    EXPECT_THAT(said, HasSubstr("clock_mismatch: CLOCK_MONOTONIC: announcer's"));
    EXPECT_THAT(said, HasSubstr(distance));
    EXPECT_THAT(said, HasSubstr("Fix: run both sides in the same time namespace"));
    EXPECT_THAT(said, Not(HasSubstr("mapped epoch")));
  }
  [[nodiscard]] Arguments subscribe() const {
    return {"sub", "cam1", "--shm-dir", path(""), "--timeout", "60"};
  }
};

TEST_F(TpTimeNamespace, a_subscriber_whose_clock_is_ahead_says_that_the_announcers_is_behind) {
  TP_REQ("W215");
  if (!has_time_namespaces()) {
    TP_SKIP_WITHOUT("root, time namespaces");
  }
  const auto publisher = publish("cam1", {"--sim", "ramp", "--hz", "10", "--no-wait"});
  const auto sut = start_ahead(subscribe());
  expect_refusal(*sut, "behind by 100000.");
}

TEST_F(TpTimeNamespace, a_subscriber_whose_clock_is_behind_says_that_the_announcers_is_ahead) {
  TP_REQ("W216");
  if (!has_time_namespaces()) {
    TP_SKIP_WITHOUT("root, time namespaces");
  }
  const auto publisher = start_ahead(
      {"pub", "cam1", "--shm-dir", path(""), "--sim", "ramp", "--hz", "10", "--no-wait"});
  const auto sut = start(subscribe());
  expect_refusal(*sut, "ahead by ");
}

TEST_F(TpTimeNamespace, clients_of_a_driver_with_another_clock_say_so_too) {
  if (!has_time_namespaces()) {
    TP_SKIP_WITHOUT("root, time namespaces");
  }
  write_file(path("driver.toml"), "[driver]\ninstance_id = \"test\"\n[shm]\nbase_dir = \"" +
                                      path("shm") +
                                      "\"\n[policies]\nallow_dynamic_streams = true\n"
                                      "[profiles.small]\nheader_nslots = 8\n"
                                      "payload_pools = [ { pool_id = 1, stride_bytes = 4096 } ]\n"
                                      "[streams.cam1]\nstream_id = 10000\nprofile = \"small\"\n");
  const auto driver = start({"up", "--config", path("driver.toml")});
  ASSERT_TRUE(driver->says("is ready")) << driver->err();
  const auto holder = start({"attach", "cam1", "--allowed-dir", path("shm")});
  ASSERT_TRUE(eventually([&] { return !holder->out().empty(); }, kRest)) << holder->err();
  const auto sut = start_ahead(subscribe());
  expect_refusal(*sut, "behind by 100000.");
}

}  // namespace
}  // namespace tensorpool::test
