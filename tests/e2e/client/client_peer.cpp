#include "client_peer.hpp"

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <thread>

#include "accounting.hpp"
#include "peer_loop.hpp"

namespace tensorpool::test {
namespace {

[[nodiscard]] std::int64_t steady_ns() {
  return std::chrono::duration_cast<Nanos>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

[[nodiscard]] ConsumerOptions wanted(std::string_view mode) {
  return {.name = "cam1",
          .mode = mode == "direct" ? FollowMode::kDirect : FollowMode::kDescriptors,
          .recover_gaps = mode != "no-recover",
          .max_outstanding_seq_gap = 0,  // a resync would pass over frames
          .wait = {.kind = WaitKind::kPark},
          .announce_period = kAnnouncePeriod};
}

int sleep_and_read(const ClientOptions& options, std::string_view mode) {
  Result<Client> client = Client::create(options);
  if (!client) {
    return 1;
  }
  Result<Consumer> consumer = client->create_consumer(wanted(mode));
  if (!consumer) {
    return 1;
  }
  for (;;) {
    if (consumer->wait(std::chrono::seconds(1))) {
      static_cast<void>(consumer->poll([](const FrameView&) {}));
    }
  }
}

int consume(const ClientOptions& options, std::string_view mode) {
  Result<Client> client = Client::create(options);
  if (!client) {
    return 1;
  }
  Result<Consumer> consumer = client->create_consumer(wanted(mode));
  if (!consumer) {
    return 1;
  }
  ConsumerReport report;
  std::optional<Reckoning> since_ready;
  std::int64_t last_frame_ns = 0;
  return serve(
      [&] {
        const PollResult result = consumer->poll(
            [&](const FrameView& view) { report.wrong += is_numbered(view) ? 0 : 1; });
        if (result.frames == 0) {
          return false;
        }
        const std::int64_t now = steady_ns();
        if (last_frame_ns != 0 && now - last_frame_ns > 1'000'000'000) {
          report.resumed_at_ns = now;
        }
        last_frame_ns = now;
        const ConsumerCounters counters = consumer->counters();
        if (!since_ready && (mode == "direct" || counters.frames_ok > counters.recovered)) {
          since_ready.emplace(*consumer);
          say("ready");
        }
        return true;
      },
      [&] {
        report.counters = consumer->counters();
        report.last_seq = consumer->last_seq();
        if (since_ready) {
          report.tracked = since_ready->tracked(*consumer);
          report.accounted = since_ready->accounted(*consumer);
        }
        return report;
      });
}

int produce(const ClientOptions& options, const std::string& base_dir, double rate_hz) {
  Result<Client> client = Client::create(options);
  if (!client) {
    return 1;
  }
  Result<Producer> producer = client->create_producer({.name = "cam1",
                                                       .nslots = 1024,
                                                       .pools = {{.stride_bytes = 64}},
                                                       .shm_base_dir = base_dir,
                                                       .announce_period = kAnnouncePeriod});
  if (!producer) {
    return 1;
  }
  say(std::to_string(producer->epoch()));
  Pacer pacer(*producer, rate_hz);
  return serve(
      [&] {
        pacer.publish_due();
        return false;
      },
      [&] {
        return ProducerReport{.counters = producer->counters(), .next_seq = producer->next_seq()};
      });
}

int fill(const ClientOptions& options, const std::string& base_dir, std::uint32_t nslots) {
  Result<Client> client = Client::create(options);
  if (!client) {
    return 1;
  }
  Result<Producer> producer = client->create_producer({.name = "cam1",
                                                       .nslots = nslots,
                                                       .pools = {{.stride_bytes = kPeerFrameBytes}},
                                                       .shm_base_dir = base_dir,
                                                       .announce_period = kAnnouncePeriod,
                                                       .progress = kEveryRow,
                                                       .early_header = true});
  if (!producer) {
    return 1;
  }
  std::optional<Claim> open;
  std::size_t rows = 0;
  return serve(
      [&] {
        if (!open) {
          rows = 0;
          if (auto made = producer->claim(kPeerFrameBytes)) {
            open.emplace(std::move(*made));
            static_cast<void>(open->begin_filling(row_info()));
          }
        } else if (rows < kPeerRows) {
          fill_rows(*open, rows, rows + 1);
          open->filled_units(++rows);
        } else if (open->commit(row_info()) == CommitStatus::kCommitted) {
          open.reset();
        }
        return false;
      },
      [&] {
        return ProducerReport{.counters = producer->counters(), .next_seq = producer->next_seq()};
      });
}

}  // namespace
}  // namespace tensorpool::test

int main(int argc, char** argv) {
  using namespace tensorpool;
  if (argc < 5) {
    return 2;
  }
  const std::string_view verb = argv[1];
  const ClientOptions options{.aeron_dir = argv[2], .allowed_base_dirs = {argv[3]}};
  if (verb == "consume") {
    return test::consume(options, argv[4]);
  }
  if (verb == "fill") {
    return test::fill(options, argv[3], static_cast<std::uint32_t>(std::atoi(argv[4])));
  }
  if (verb == "sleep") {
    return test::sleep_and_read(options, argv[4]);
  }
  if (verb == "produce") {
    return test::produce(options, argv[3], std::atof(argv[4]));
  }
  return 2;
}
