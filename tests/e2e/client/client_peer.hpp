// The other processes of the tests of the client library: what client_peer understands and answers.
//
//   client_peer consume AERON_DIR BASE_DIR direct|recover|no-recover
//       reads stream "cam1"; says `ready` once it was handed a frame (in descriptor mode, one that
//       came by descriptor); answers each line with a ConsumerReport
//   client_peer produce AERON_DIR BASE_DIR RATE_HZ
//       publishes "cam1" as fast as the rate says; says its epoch; answers with a ProducerReport
//   client_peer fill AERON_DIR BASE_DIR NSLOTS
//       publishes "cam1" row by row, with early headers; answers with a ProducerReport
//
//   client_peer sleep AERON_DIR BASE_DIR direct|recover|no-recover
//       sleeps until "cam1" has a frame, again and again; ends only when it is killed
//
// The first three end when their standard input is closed. The payload of a frame is its number,
// repeated.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <string>

#include "support/child_process.hpp"
#include "tensorpool/tensorpool.hpp"

namespace tensorpool::test {

/// Long enough that a busy machine makes nobody look dead (five periods), short enough to wait for.
inline constexpr auto kAnnouncePeriod = std::chrono::milliseconds(200);

/// What a consumer has come to since it was `ready`.
struct ConsumerReport {
  ConsumerCounters counters;       ///< since its start
  std::uint64_t last_seq = 0;      ///< highest number accounted for
  std::uint64_t tracked = 0;       ///< numbers that `last_seq` went over since `ready`
  std::uint64_t accounted = 0;     ///< numbers accounted for since `ready`
  std::uint64_t wrong = 0;         ///< frames that were not what their number says
  std::int64_t resumed_at_ns = 0;  ///< steady clock of the first frame after a second's pause
};

struct ProducerReport {
  ProducerCounters counters;
  std::uint64_t next_seq = 0;
};

/// The frame that client_peer and its tests publish.
using PeerPayload = std::array<std::uint64_t, 8>;
[[nodiscard]] inline TensorInfo peer_info() {
  return TensorInfo::packed(Dtype::kUint64, {8});
}
inline void publish_numbered(Producer& producer) {
  PeerPayload payload;
  payload.fill(producer.next_seq());
  static_cast<void>(producer.publish(peer_info(), std::as_bytes(std::span(payload))));
}
/// The frame that is published row by row: each byte of a row is the frame's number plus the row's.
inline constexpr std::size_t kPeerRows = 16;
inline constexpr std::size_t kPeerRowBytes = 256;
inline constexpr std::size_t kPeerFrameBytes = kPeerRows * kPeerRowBytes;
[[nodiscard]] inline TensorInfo row_info() {
  TensorInfo info = TensorInfo::packed(Dtype::kUint8, {kPeerRows, kPeerRowBytes});
  info.progress_unit = ProgressUnit::kRows;
  info.progress_stride_bytes = kPeerRowBytes;
  return info;
}
inline void fill_rows(const Claim& claim, std::size_t first, std::size_t end) {
  for (std::size_t row = first; row < end; ++row) {
    std::fill_n(claim.payload().data() + row * kPeerRowBytes, kPeerRowBytes,
                static_cast<std::byte>(claim.seq() + row));
  }
}
/// Tells every row.
inline constexpr ProgressSettings kEveryRow = {.interval = Nanos{},
                                               .interval_floor = Nanos{},
                                               .bytes_delta = 1,
                                               .bytes_delta_floor = 1,
                                               .max_rate_hz = 1'000'000};

[[nodiscard]] inline bool is_numbered(const FrameView& view) {
  PeerPayload payload;
  PeerPayload expected;
  expected.fill(view.seq());
  return view.copy_to(std::as_writable_bytes(std::span(payload))) != CopyStatus::kCopied ||
         payload == expected;
}

/// Publishes in time with a rate, however late it is called.
class Pacer {
 public:
  Pacer(Producer& producer, double rate_hz) : producer_(producer), rate_hz_(rate_hz) {}
  void publish_due() {
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - began_;
    const auto due = static_cast<std::uint64_t>(elapsed.count() * rate_hz_);
    for (; sent_ < due; ++sent_) {
      publish_numbered(producer_);
    }
  }

 private:
  Producer& producer_;
  double rate_hz_;
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  std::uint64_t sent_ = 0;
};

}  // namespace tensorpool::test
