// What `tp top` shows, worked out of samples: rates, intervals, margins, who is slow. Pure.
//
// What cannot be known is absent, and nothing is guessed: intervals are those between the capture
// times of consecutive frames that were seen in the ring, rates those of numbers over the last
// seconds.
//
// Thread contract: one thread.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "apps/top/sample.hpp"
#include "core/telemetry/readings.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::apps::top {

struct LeaseShown {
  std::uint64_t lease_id = 0;
  Nanos expires_in{};
};

/// What a row says of a process. One that is not seen has ended, and its counters will in some
/// seconds, or it lives in another namespace.
struct ProcessShown {
  std::uint64_t pid = 0;
  std::string name = {};           ///< "": not seen
  std::optional<double> cpu = {};  ///< of one processor
};

struct ConsumerRow {
  std::uint32_t stream_id = 0;
  std::uint32_t client_id = 0;
  std::uint32_t instance = 0;
  ProcessShown process = {};
  /// Nothing of one that shows no counters, of which only its lease is known.
  std::optional<core::telemetry::ConsumerReading> reading = {};
  std::optional<core::telemetry::ConsumerWays> ways = {};
  std::optional<double> hz = {};
  std::optional<double> bytes_per_second = {};
  std::optional<Nanos> age = {};             ///< of the frame that it has read last
  std::optional<Nanos> last_seen = {};       ///< since it last polled
  std::optional<std::uint64_t> behind = {};  ///< frames that the writer had begun after its last
  std::optional<double> margin = {};         ///< part of the ring between it and being overwritten
  std::optional<std::uint64_t> lost = {};
  std::optional<double> lost_per_second = {};
  std::optional<LeaseShown> lease = {};
  std::string trouble = {};  ///< why it is slow; "": it is not
};

struct StreamRow {
  std::uint32_t stream_id = 0;
  std::string name = {};
  std::optional<std::uint64_t> epoch = {};
  std::optional<std::uint32_t> producer_id = {};
  ProcessShown process = {};
  std::optional<core::telemetry::ProducerReading> reading = {};
  std::uint32_t nslots = 0;  ///< 0: the ring cannot be read
  std::string ring = {};
  std::optional<std::uint64_t> newest_seq = {};
  std::optional<double> hz = {};
  std::optional<double> bytes_per_second = {};
  std::optional<Nanos> p50 = {};
  std::optional<Nanos> p99 = {};
  std::optional<Nanos> max = {};
  std::optional<Nanos> age = {};
  std::optional<Nanos> depth = {};  ///< how long a frame stays in the ring, at this rate
  std::optional<LeaseShown> lease = {};
  std::vector<ConsumerRow> consumers = {};

  [[nodiscard]] std::optional<double> margin() const noexcept;  ///< the least of its consumers
  [[nodiscard]] std::uint64_t lost() const noexcept;            ///< by all of them together
  [[nodiscard]] double lost_per_second() const noexcept;
  [[nodiscard]] std::string title() const;  ///< its name, or else its number
};

enum class SortKey : std::uint8_t { kName, kHz, kBytes, kP99, kAge, kMargin, kLost, kCpu };
inline constexpr std::size_t kSortKeys = 8;
[[nodiscard]] std::string_view to_string(SortKey key) noexcept;
[[nodiscard]] std::optional<SortKey> parse_sort_key(std::string_view text) noexcept;

enum class Shape : std::uint8_t { kTree, kStreams, kConsumers };

struct Query {
  SortKey sort = SortKey::kName;
  bool reverse = false;     ///< as against the usual direction: names upwards, worst first
  std::string filter = {};  ///< part of a stream's or program's name, or a number
  std::optional<std::uint32_t> stream_id = {};  ///< this one alone
};

struct View {
  std::vector<StreamRow> streams = {};
  std::size_t consumers = 0;  ///< of all streams, whatever the filter
  double hz = 0;
  double bytes_per_second = 0;
  double lost_per_second = 0;
  std::vector<std::string> slow = {};  ///< one text for each slow consumer, the worst first
  std::vector<std::string> notes = {};
};

class Model {
 public:
  static constexpr Nanos kRateSpan = std::chrono::seconds(3);
  static constexpr Nanos kIntervalSpan = std::chrono::seconds(10);
  static constexpr std::size_t kFramesKept = 2048;

  /// Samples come in the order of their time.
  void add(Sample sample);
  [[nodiscard]] View view(const Query& query) const;

 private:
  /// Numbers over time, of which a rate is made.
  class Course {
   public:
    void add(Nanos at, std::uint64_t value);
    [[nodiscard]] std::optional<double> per_second() const noexcept;

   private:
    std::deque<std::pair<Nanos, std::uint64_t>> points_;
  };
  struct StreamHistory {
    std::uint64_t epoch = 0;
    Course frames;
    std::deque<FrameSeen> seen;
    Nanos heard_at{};
  };
  struct ConsumerHistory {
    Course frames;
    Course lost;
    Nanos heard_at{};
  };
  struct ProcessHistory {
    std::uint64_t start_ticks = 0;
    Course cpu;
    Nanos heard_at{};
  };

  void add_ring(const RingSeen& ring);
  [[nodiscard]] std::map<std::uint32_t, StreamRow> streams() const;
  void fill_ring(StreamRow& row) const;
  [[nodiscard]] ConsumerRow consumer_row(const ConsumerSeen& seen, const StreamRow& stream) const;
  [[nodiscard]] ProcessShown process(const core::telemetry::Identity& who) const;
  [[nodiscard]] std::optional<LeaseShown> lease(std::uint32_t stream_id, std::uint32_t client_id,
                                                bool is_producer) const;

  Sample now_;
  std::map<std::uint32_t, RingSeen> rings_;  ///< of `now_`, by stream: the one that counts
  std::map<std::uint32_t, StreamHistory> stream_histories_;
  std::map<core::telemetry::Identity, ConsumerHistory> consumer_histories_;
  std::map<std::uint64_t, ProcessHistory> process_histories_;
};

}  // namespace tensorpool::inline v0::apps::top
