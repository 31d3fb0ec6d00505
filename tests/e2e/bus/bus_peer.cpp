// The other process of the tests of bus/. Says in one line how it went, then stays until its
// standard input is closed.
//
//   bus_peer rendezvous DIR auto|embedded|external [uid]   embedded | joined | error <name>
//   bus_peer publish DIR STREAM     publishes its process id and rising numbers: connected
//   bus_peer subscribe DIR STREAM   reads until a number from another process came: received
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "bus/rendezvous.hpp"
#include "bus_fixture.hpp"

namespace tensorpool::bus::testing {
namespace {

void say(const std::string& line) {
  std::puts(line.c_str());
  std::fflush(stdout);
}

bool input_closed(int timeout_ms) {
  pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  return ::poll(&input, 1, timeout_ms) > 0;
}

int rendezvous(const std::string& aeron_dir, std::string_view policy, int uid) {
  if (uid > 0 && ::setuid(static_cast<uid_t>(uid)) != 0) {
    return 2;
  }
  RendezvousOptions options{.driver = {.aeron_dir = aeron_dir}};
  options.policy = policy == "auto"       ? DriverPolicy::kAuto
                   : policy == "embedded" ? DriverPolicy::kEmbedded
                                          : DriverPolicy::kExternal;
  const Result<MediaDriverHandle> handle = join_or_embed(options);
  if (!handle) {
    say("error " + std::string(to_string(handle.error().code)));
    return 0;
  }
  say(handle->is_embedded() ? "embedded" : "joined");
  input_closed(-1);
  return 0;
}

struct Numbered {
  std::int64_t pid;
  std::uint64_t number;
};

int publish(const std::string& aeron_dir, std::int32_t stream_id) {
  Client client = make_client(aeron_dir);
  PublicationLink out(client,
                      {.channel = channel("aeron:ipc?term-length=64k"), .stream_id = stream_id});
  Numbered next{.pid = ::getpid(), .number = 0};
  while (!input_closed(0)) {
    client.do_work(mono_now());
    out.do_work(mono_now());
    auto* publication = out.current();
    if (publication != nullptr &&
        publication->try_claim_and_copy(&next, sizeof(next)) == OfferStatus::kOk) {
      if (++next.number == 1) {
        say("connected");
      }
    }
  }
  return 0;
}

int subscribe(const std::string& aeron_dir, std::int32_t stream_id) {
  Client client = make_client(aeron_dir);
  SubscriptionLink in(client, {.channel = channel("aeron:ipc?term-length=64k|tether=false"),
                               .stream_id = stream_id});
  bool received = false;
  while (!input_closed(0)) {
    client.do_work(mono_now());
    in.do_work(mono_now());
    if (auto* subscription = in.current(); subscription != nullptr) {
      subscription->poll(
          [&](const Message& message) noexcept {
            Numbered from{};
            if (!received && message.bytes.size() == sizeof(from)) {
              std::memcpy(&from, message.bytes.data(), sizeof(from));
              received = from.pid != ::getpid();
              say("received");
            }
          },
          100);
    }
  }
  return 0;
}

}  // namespace
}  // namespace tensorpool::bus::testing

int main(int argc, char** argv) {
  using namespace tensorpool::bus::testing;
  const std::string_view verb = argc > 3 ? argv[1] : "";
  if (verb == "rendezvous") {
    return rendezvous(argv[2], argv[3], argc > 4 ? std::atoi(argv[4]) : 0);
  }
  if (verb == "publish") {
    return publish(argv[2], std::atoi(argv[3]));
  }
  if (verb == "subscribe") {
    return subscribe(argv[2], std::atoi(argv[3]));
  }
  return 2;
}
