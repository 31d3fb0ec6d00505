// The admin socket with real sockets in one process: the server is driven by the test.
#include "admin/server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "admin/ask.hpp"
#include "support/eventually.hpp"
#include "support/scratch_directory.hpp"

namespace tensorpool::admin {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

/// Answers with the operation, and remembers who asked.
class Echo final : public Handler {
 public:
  std::optional<std::string> answer(const Request& request, const os::PeerCredentials& peer,
                                    Ticket ticket) override {
    asked_by = peer;
    if (request.operation == Operation::kCollect) {
      later = ticket;
      return std::nullopt;
    }
    return std::string(to_string(request.operation)) + std::string(padding, '.');
  }
  os::PeerCredentials asked_by;
  Ticket later = 0;
  std::size_t padding = 0;
};

class AdminServer : public ::testing::Test {
 protected:
  [[nodiscard]] Server listen() {
    Result<Server> server = Server::listen(path_, echo_);
    EXPECT_TRUE(server) << describe(server.error());
    return std::move(*server);
  }
  /// Asks from another thread while `server` is driven here.
  [[nodiscard]] Result<std::string> ask_of(Server& server, const Request& request) {
    Result<std::string> answer = fail(Errc::kClosed);
    std::atomic<bool> done{false};
    std::thread asking([&] {
      answer = ask(path_, request);
      done = true;
    });
    EXPECT_TRUE(test::eventually([&] {
      server.do_work(now_);
      return done.load();
    }));
    asking.join();
    return answer;
  }
  [[nodiscard]] os::LocalConnection connect() {
    Result<os::LocalConnection> connection =
        os::LocalConnection::connect(path_, std::chrono::seconds(5));
    EXPECT_TRUE(connection);
    return std::move(*connection);
  }
  static void send(os::LocalConnection& connection, std::string_view text) {
    ASSERT_EQ(connection.write(std::as_bytes(std::span(text))).bytes, text.size());
  }
  /// True when the server has closed it. Everything that came before is dropped.
  [[nodiscard]] static bool is_closed(os::LocalConnection& connection) {
    std::array<std::byte, 4096> buffer;
    for (;;) {
      const auto got = connection.read(buffer);
      if (got.state != os::LocalConnection::State::kOpen) {
        return got.state == os::LocalConnection::State::kClosed;
      }
    }
  }

  test::ScratchDirectory scratch_;
  std::string path_ = scratch_.path() + "/admin";
  Echo echo_;
  Nanos now_{};
};

TEST_F(AdminServer, answers_and_knows_who_asked) {
  Server sut = listen();
  const Result<std::string> answer = ask_of(sut, {.operation = Operation::kLeases});
  ASSERT_TRUE(answer) << describe(answer.error());
  EXPECT_EQ(*answer, "leases");
  EXPECT_EQ(echo_.asked_by.pid, ::getpid());
  EXPECT_EQ(echo_.asked_by.uid, ::geteuid());
  EXPECT_EQ(sut.counters().requests, 1U);
}

TEST_F(AdminServer, sends_long_answers_in_pieces) {
  Server sut = listen();
  echo_.padding = 4U << 20U;
  const Result<std::string> answer = ask_of(sut, {.operation = Operation::kStreams});
  ASSERT_TRUE(answer) << describe(answer.error());
  EXPECT_EQ(answer->size(), echo_.padding + 7);
}

TEST_F(AdminServer, keeps_requests_in_order_behind_one_that_is_answered_later) {
  Server sut = listen();
  os::LocalConnection connection = connect();
  send(connection, "{\"op\":\"gc\"}\n{\"op\":\"status\"}\n");
  ASSERT_TRUE(test::eventually([&] {
    sut.do_work(now_);
    return echo_.later != 0;
  }));
  sut.do_work(now_ + 2 * Server::kIdleMax);  // waiting is not idling
  EXPECT_EQ(sut.counters().requests, 1U);
  sut.finish(echo_.later + 1, "of somebody else");
  sut.finish(echo_.later, "done");
  ASSERT_TRUE(test::eventually([&] {
    sut.do_work(now_ + 2 * Server::kIdleMax);
    return sut.counters().requests == 2;
  }));
  std::string text;
  ASSERT_TRUE(test::eventually([&] {
    std::array<char, 64> buffer{};
    const auto got = connection.read(std::as_writable_bytes(std::span(buffer)));
    text.append(buffer.data(), got.bytes);
    return text.ends_with("status\n");
  }));
  EXPECT_EQ(text, "done\nstatus\n");
}

TEST_F(AdminServer, refuses_what_is_no_request_and_goes_on) {
  Server sut = listen();
  os::LocalConnection connection = connect();
  send(connection, "rubbish\n{\"op\":\"status\"}\n");
  ASSERT_TRUE(test::eventually([&] {
    sut.do_work(now_);
    return sut.counters().requests == 2;
  }));
  std::array<char, 4096> buffer{};
  const auto got = connection.read(std::as_writable_bytes(std::span(buffer)));
  const std::string text(buffer.data(), got.bytes);
  EXPECT_THAT(text, StartsWith(R"({"v":1,"ok":false,"error":"malformed_message")"));
  EXPECT_THAT(text, HasSubstr("\nstatus\n"));
  EXPECT_EQ(sut.counters().refused, 1U);
}

TEST_F(AdminServer, lets_go_of_a_line_that_never_ends) {
  Server sut = listen();
  os::LocalConnection connection = connect();
  send(connection, std::string(kRequestBytesMax + 1, 'x'));
  ASSERT_TRUE(test::eventually([&] {
    sut.do_work(now_);
    return sut.counters().dropped == 1;
  }));
  EXPECT_TRUE(is_closed(connection));
}

TEST_F(AdminServer, lets_go_of_callers_that_say_nothing) {
  Server sut = listen();
  os::LocalConnection connection = connect();
  sut.do_work(now_);
  sut.do_work(now_ + Server::kIdleMax);
  EXPECT_EQ(sut.counters().dropped, 0U);
  sut.do_work(now_ + Server::kIdleMax + Nanos{1});
  EXPECT_EQ(sut.counters().dropped, 1U);
  EXPECT_TRUE(is_closed(connection));
}

TEST_F(AdminServer, has_room_for_so_many_callers_and_for_the_next_ones_later) {
  Server sut = listen();
  std::vector<os::LocalConnection> crowd;
  while (crowd.size() < Server::kConnectionsMax) {
    crowd.push_back(connect());
    sut.do_work(now_);
  }
  os::LocalConnection late = connect();
  sut.do_work(now_);
  EXPECT_EQ(sut.counters().dropped, 1U);
  EXPECT_TRUE(is_closed(late));
  crowd.clear();
  sut.do_work(now_);
  EXPECT_TRUE(ask_of(sut, {.operation = Operation::kStatus}));
}

TEST_F(AdminServer, is_for_its_user_and_group_only) {
  const ::mode_t before = ::umask(0);
  const Server sut = listen();
  ::umask(before);
  struct stat status {};
  ASSERT_EQ(::lstat(path_.c_str(), &status), 0);
  EXPECT_TRUE(S_ISSOCK(status.st_mode));
  EXPECT_EQ(status.st_mode & 07777U, 0660U);
}

TEST_F(AdminServer, is_alone_at_its_path) {
  const Server first = listen();
  Echo other;
  const Result<Server> second = Server::listen(path_, other);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::kAlreadyExists);
}

TEST_F(AdminServer, is_not_replaced_when_it_is_only_busy) {
  const Server busy = listen();
  std::vector<Result<os::LocalConnection>> crowd;  // more than the kernel lets wait
  do {
    crowd.push_back(os::LocalConnection::connect(path_, std::chrono::milliseconds(1)));
  } while (crowd.back());
  Echo other;
  const Result<Server> second = Server::listen(path_, other);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::kAlreadyExists);
}

TEST_F(AdminServer, takes_the_place_of_one_that_was_killed) {
  std::filesystem::create_directory(scratch_.path() + "/x");
  const std::string left = scratch_.path() + "/x/admin";
  {
    Result<os::LocalListener> killed = os::LocalListener::listen(left, 0660);
    ASSERT_TRUE(killed);
    // Its file outlives it where its destructor does not run: as a hard link does here.
    std::filesystem::create_hard_link(left, path_);
  }
  ASSERT_TRUE(std::filesystem::exists(path_));
  Server sut = listen();
  EXPECT_TRUE(ask_of(sut, {.operation = Operation::kStatus}));
}

TEST_F(AdminServer, leaves_nothing_behind) {
  { const Server sut = listen(); }
  EXPECT_FALSE(std::filesystem::exists(path_));
  EXPECT_TRUE(std::filesystem::is_empty(scratch_.path()));
}

TEST(AdminAsk, says_that_nobody_listens) {
  const test::ScratchDirectory scratch;
  const Result<std::string> answer = ask(scratch.path() + "/admin", {});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Errc::kNotFound);
  const Result<std::string> too_long = ask(std::string(200, 'x'), {});
  ASSERT_FALSE(too_long);
  EXPECT_EQ(too_long.error().code, Errc::kInvalidArgument);
  EXPECT_EQ(too_long.error().value, 200U);
}

}  // namespace
}  // namespace tensorpool::admin
