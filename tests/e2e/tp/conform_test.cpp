// tp conform against our own programs, which pass, and against one that is wrong on purpose, which
// fails where it is wrong and nowhere else that matters.
#include <gmock/gmock.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "tp_process.hpp"

namespace tensorpool::test {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::Not;
using Json = nlohmann::json;
using Names = std::set<std::string>;

class TpConform : public TpTest {
 protected:
  struct Outcome {
    std::map<std::string, Names> cases;  ///< by what they came to
    std::string lines;
    std::string notes;
    int exit = 0;
  };
  [[nodiscard]] Outcome conform(const std::string& role, const std::string& command,
                                const Arguments& more = {}) {
    Arguments arguments = {"conform", "--role", role, "--against", command, "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const auto run = start(arguments);
    Outcome outcome;
    outcome.exit = run->wait();
    outcome.lines = run->out();
    outcome.notes = run->err();
    for (const Json& line : json_lines(outcome.lines)) {
      EXPECT_FALSE(line["ids"].empty());
      outcome.cases[line.value("outcome", "")].insert(line.value("case", ""));
    }
    return outcome;
  }
  static std::string tp(const std::string& words) { return std::string(TP_COMMAND) + " " + words; }
  static std::string wrong(const std::string& role) {
    return std::string(TP_WRONG_PEER) + " " + role;
  }
  static void expect_all_passed(const Outcome& outcome, const Names& not_seen) {
    EXPECT_EQ(outcome.exit, 0) << outcome.notes << outcome.lines;
    EXPECT_THAT(outcome.cases, Not(Contains(::testing::Key("failed")))) << outcome.lines;
    const auto found = outcome.cases.find("not observable");
    EXPECT_EQ(found == outcome.cases.end() ? Names{} : found->second, not_seen) << outcome.lines;
  }
};

TEST_F(TpConform, finds_nothing_wrong_with_our_producer) {
  const Outcome outcome =
      conform("producer", tp("pub {stream_id} --sim ramp --shape 64 --dtype u2 --hz 100 --no-wait "
                             "--slots 1024 --meta camera=left --shm-dir {shm_dir}"));
  expect_all_passed(outcome, {});
}

TEST_F(TpConform, finds_nothing_wrong_with_our_consumer) {
  expect_all_passed(conform("consumer", tp("sub {stream_id} --keep-on --shm-dir {shm_dir}")), {});
}

TEST_F(TpConform, finds_nothing_wrong_with_our_client) {
  for (const char* role : {"producer", "consumer"}) {
    SCOPED_TRACE(role);
    expect_all_passed(conform("client", tp(std::string("attach {stream_id} --announce-stream "
                                                       "{announce_stream} --allowed-dir {shm_dir} "
                                                       "--role ") +
                                           role)),
                      {});
  }
}

TEST_F(TpConform, finds_out_a_wrong_producer) {
  Outcome outcome = conform("producer", wrong("producer"), {"--period", "0.2", "--watch", "1"});
  EXPECT_EQ(outcome.exit, 1);
  EXPECT_THAT(outcome.cases["failed"],
              IsSupersetOf({"announce-period", "activity", "slot-padding",
                            "commit-before-descriptor", "descriptor-order", "qos", "own-stream",
                            "half-request", "without-shm", "long-block", "strange-messages"}))
      << outcome.lines;
  EXPECT_THAT(outcome.cases["passed"],
              IsSupersetOf({"announce-content", "region-uris", "region-layout", "region-open",
                            "region-mode", "superblock", "slot-header", "restart"}))
      << outcome.lines;
}

TEST_F(TpConform, finds_out_a_wrong_consumer) {
  Outcome outcome = conform("consumer", wrong("consumer"), {"--period", "0.2"});
  EXPECT_EQ(outcome.exit, 1);
  EXPECT_THAT(outcome.cases["failed"],
              IsSupersetOf({"hello-content", "in-progress", "bad-headers", "bad-payloads",
                            "aborted", "forged", "own-stream", "mode", "without-shm", "regression",
                            "later-epoch-frame", "old-epoch", "wrong-announces", "refuses-mismatch",
                            "refuses-short-file", "refuses-writable", "stale-activity"}))
      << outcome.lines;
  EXPECT_THAT(outcome.cases["passed"],
              IsSupersetOf({"framing", "hello", "qos", "one-id", "maps", "frames", "duplicate",
                            "leaves-files", "survives"}))
      << outcome.lines;
}

TEST_F(TpConform, finds_out_a_wrong_client) {
  Outcome outcome = conform("client", wrong("client"), {"--period", "0.2"});
  EXPECT_EQ(outcome.exit, 1);
  EXPECT_THAT(outcome.cases["failed"],
              IsSupersetOf({"publish-mode", "retry", "rejected", "wrong-grant",
                            "wrong-grant-returned", "keepalive-content", "foreign-messages",
                            "revoked", "shutdown", "detach", "refused"}))
      << outcome.lines;
  EXPECT_THAT(outcome.cases["passed"], IsSupersetOf({"framing", "request", "no-announces"}))
      << outcome.lines;
}

TEST_F(TpConform, says_so_when_the_program_does_not_come_up) {
  for (const char* role : {"producer", "consumer", "client"}) {
    Outcome outcome = conform(role, "exec sleep 60", {"--patience", "0.2"});
    EXPECT_EQ(outcome.exit, 1) << role;
    EXPECT_THAT(outcome.cases["passed"], IsEmpty()) << role << outcome.lines;
  }
}

TEST_F(TpConform, refuses_what_it_cannot_do) {
  EXPECT_EQ(start({"conform"})->wait(), 2);
  EXPECT_EQ(start({"conform", "--against", "true", "--case", "nonsense"})->wait(), 2);
  const auto unknown = start({"conform", "--against", "pub {nothing}"});
  EXPECT_EQ(unknown->wait(), 1);
  EXPECT_THAT(unknown->err(), HasSubstr("{nothing}"));
  const auto list = start({"conform", "--list"});
  EXPECT_EQ(list->wait(), 0);
  EXPECT_THAT(list->out(), HasSubstr("commit-before-descriptor"));
}

}  // namespace
}  // namespace tensorpool::test
