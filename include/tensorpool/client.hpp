// The door to the library: one Client per process, its producers and its consumers.
//
//     auto client = tensorpool::Client::connect("tensorpool:driver");
//     auto producer = client->create_producer({.name = "cam1"});
//     producer->publish(TensorInfo::packed(Dtype::kUint16, {480, 640}), bytes);
//
// Who owns the files is one string apart: "tensorpool:driver" attaches to a driver that runs (`tp
// up`), "tensorpool:embedded" brings one along, and with "tensorpool:standalone" each producer owns
// those of its stream.
//
// A client owns the connection to the media driver. Losing that driver is a state, not an end:
// publishing goes on into shared memory, direct readers go on reading, and the connection is
// rebuilt when a driver is back.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tensorpool/consumer.hpp"
#include "tensorpool/driver.hpp"
#include "tensorpool/export.hpp"
#include "tensorpool/log.hpp"
#include "tensorpool/metadata.hpp"
#include "tensorpool/producer.hpp"
#include "tensorpool/types/error.hpp"
#include "tensorpool/types/runtime.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0 {

namespace detail {
class ClientCore;
}

/// Who owns the files of the streams that a client writes and reads.
enum class DeploymentMode : std::uint8_t {
  kStandalone,  ///< each producer those of its stream (§1.21)
  kDriver,      ///< a driver in `aeron_dir`, that runs or will run (§2); reads no other streams
  kEmbedded,    ///< a driver that starts and ends with the client, for it and for others (§2.17)
};

/// Aeron channels and stream ids. Spec: §1.23 (W430, W432). 0 or "" for announce: as control, and
/// heard on 1001, too; under a driver what the driver says, as soon as one answers, till then 1001
/// as its built-in configuration has it. A driver that comes back with others needs a new client.
struct Channels {
  std::string control_channel = "aeron:ipc?term-length=4m";
  std::int32_t control_stream_id = 1000;
  std::string announce_channel = {};
  std::int32_t announce_stream_id = 0;
  std::string qos_channel = "aeron:ipc?term-length=4m";
  std::int32_t qos_stream_id = 1200;
  std::string metadata_channel = "aeron:ipc?term-length=4m";
  std::int32_t metadata_stream_id = 1300;
};

/// Whether a client maps regions on hugetlbfs, and what it asks a driver for. Spec: §2.8, §2.9.
enum class Hugepages : std::uint8_t {
  kAllowed,    ///< as the owner of the files has it
  kRequired,   ///< nothing else is mapped, also where the URI does not say so (W112, D122)
  kForbidden,  ///< nothing on hugetlbfs is mapped (D123)
};

/// Which regions a client maps. Spec: §1.7, §1.24.
struct RegionLimits {
  std::uint32_t forbidden_mode_bits = 0002;        ///< no file may have one of them (W127)
  std::optional<std::uint32_t> expected_uid = {};  ///< owner of the files; empty: any (W127)
  std::optional<std::uint32_t> expected_gid = {};  ///< group of the files; empty: any (W127)
  Hugepages hugepages = Hugepages::kAllowed;
  std::uint64_t max_region_bytes = 1ULL << 40U;  ///< (W136)
  std::uint32_t max_pools = 256;                 ///< 1 to 256 (W226)
  bool lock_memory = false;  ///< keep what is mapped in memory, or do not map it (D209)
};

/// How a client deals with its driver; without effect in standalone mode. Spec: §2.20, §2.23
/// (D334).
struct LeaseTiming {
  Nanos attach_timeout = std::chrono::seconds(5);         ///< of one attempt (D307)
  Nanos attach_retry_interval = std::chrono::seconds(1);  ///< of requests in an attempt (D88)
  /// Not longer than `policies.lease_keepalive_interval_ms` of the driver.
  Nanos keepalive_interval = std::chrono::seconds(1);
  /// A driver that says nothing for so long is taken for dead (D275); 0: never. Empty: five
  /// announce periods of the stream's options.
  std::optional<Nanos> driver_silence_timeout = {};
};

/// Somebody has answered a request that somebody made on the control stream (§1.5.14). Nobody here
/// makes any: for those who do by other means.
struct ControlResponse {
  std::int64_t correlation_id = 0;
  std::int32_t code = 0;  ///< 0: done; any other value, known or not, is a failure (W446)
  std::string text = {};

  [[nodiscard]] bool is_ok() const noexcept { return code == 0; }
};

/// How a client is set up.
///
/// As a URI (docs/adr/0023): `tensorpool:MODE?key=value|key=value`, with MODE `standalone`,
/// `driver` or `embedded`, and the keys `aeron-dir`, `media-driver` (external, auto, embedded),
/// `threading` (background, invoked), `allowed-dir` (as often as needed), `control-stream`,
/// `announce-stream`, and for `embedded` `config`, a file.
struct ClientOptions {
  /// Of a URI; kInvalidArgument says which key or value is wrong, and what would do.
  [[nodiscard]] TENSORPOOL_EXPORT static Result<ClientOptions> parse(std::string_view uri);

  DeploymentMode mode = DeploymentMode::kStandalone;
  std::string aeron_dir = {};  ///< "" = AERON_DIR, else /dev/shm/tensorpool-<user>-aeron
  MediaDriverPolicy media_driver = MediaDriverPolicy::kExternal;
  Threading threading = Threading::kBackground;
  int background_cpu = -1;  ///< processor of the background thread; -1 = any
  /// Below which regions may lie (W116..W119). Consumers map nothing outside.
  std::vector<std::string> allowed_base_dirs = {"/dev/shm"};
  RegionLimits regions = {};
  LeaseTiming leases = {};
  /// Show the counters of producers and consumers among those of the media driver, for `tp top`.
  bool show_counters = true;
  LogSink log = {};  ///< may be empty
  /// Called on the thread that does the control work, for each that is heard. May be empty.
  std::function<void(const ControlResponse&)> on_control_response = {};
  DriverOptions driver = {};  ///< of kEmbedded; aeron_dir and threading are the client's, and log
  Channels channels = {};     // last: g++ 12 warns where the making of a later member can throw
};

/// One stream as its owner announces it.
struct StreamInfo {
  std::uint32_t stream_id = 0;
  std::uint64_t epoch = 0;
  std::uint32_t producer_id = 0;
  std::string name = {};  ///< "" until a DataSourceAnnounce was heard
  std::string summary = {};
  std::uint32_t nslots = 0;  ///< 0 until a ShmPoolAnnounce was heard
  std::vector<PoolOptions> pools = {};
  std::string header_region_uri = {};
};

/// What a client does with its media driver now.
enum class ConnectionState : std::uint8_t { kConnecting, kConnected, kLost };

/// Thread contract: create_*, streams and connection may be called on any thread; do_work on one.
/// Producers and consumers keep what they need of a client alive; destroying the client stops their
/// control work, so it should go last. After fork the child's copies answer `forked` and their
/// destructors touch nothing.
class TENSORPOOL_EXPORT Client {
 public:
  /// create(ClientOptions::parse(uri)).
  [[nodiscard]] static Result<Client> connect(std::string_view uri);
  /// Checks the options and starts the control work. Does not wait for a media driver.
  [[nodiscard]] static Result<Client> create(ClientOptions options);

  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;
  ~Client();

  /// Standalone: creates the files of a new epoch and begins to announce them (§1.8, §1.21). Under
  /// a driver: begins to ask for a lease, and returns at once (Producer::wait_attached).
  [[nodiscard]] Result<Producer> create_producer(const StreamOptions& options);

  /// Begins to look for the stream; frames arrive once its announce was heard and its regions
  /// passed.
  [[nodiscard]] Result<Consumer> create_consumer(const ConsumerOptions& options);

  /// Begins to listen for the metadata of a stream, and for nothing else.
  [[nodiscard]] Result<MetadataReader> create_metadata_reader(MetadataReaderOptions options);

  /// Streams whose announces were heard within the liveness timeout.
  [[nodiscard]] std::vector<StreamInfo> streams() const;
  /// Streams that are announced and yet not in that list, each with the reason: kClockMismatch, the
  /// announces bear a clock that cannot be ours. Each is logged once as well, and an event for
  /// whoever consumes it.
  [[nodiscard]] std::vector<Error> refused_streams() const;

  [[nodiscard]] ConnectionState connection() const noexcept;
  [[nodiscard]] const std::string& aeron_dir() const noexcept;

  /// One duty cycle of the control work; only with Threading::kInvoked. Call it at least every 100
  /// ms: later calls are counted (`late_calls`). Returns the amount of work done, 0 when idle.
  int do_work() noexcept;
  [[nodiscard]] std::uint64_t late_calls() const noexcept;
  /// How often the media driver had no counter for us: `tp top` does not see everything then. Any
  /// thread.
  [[nodiscard]] std::uint64_t counters_refused() const noexcept;

 private:
  explicit Client(std::shared_ptr<detail::ClientCore> core) noexcept;
  std::shared_ptr<detail::ClientCore> core_;
};

}  // namespace tensorpool::inline v0
