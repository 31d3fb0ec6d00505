// Writing frames. Spec: §1.10; design §4.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "tensorpool/export.hpp"
#include "tensorpool/types/counters.hpp"
#include "tensorpool/types/error.hpp"
#include "tensorpool/types/lease.hpp"
#include "tensorpool/types/metadata.hpp"
#include "tensorpool/types/progress.hpp"
#include "tensorpool/types/publish.hpp"
#include "tensorpool/types/tensor_info.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0 {

namespace detail {
class ProducerCore;
}

/// One payload pool: `nslots` slots of `stride_bytes`, a power of two and at least 64 (W38).
struct PoolOptions {
  std::uint16_t pool_id = 1;
  std::uint32_t stride_bytes = 1U << 20U;
};

/// A flush that a non-coherent device needs before the frame is committed (W155). Called on the
/// producer's thread by `Claim::commit`, with the payload that was claimed, and, where consumers
/// may read it before, by `Claim::filled` with what is there. May be empty.
struct CommitHook {
  void (*flush)(void* context, std::span<std::byte> payload) noexcept = nullptr;
  void* context = nullptr;
};

/// Something happened between a producer and its driver. Spec: §2.20 (D311).
struct ProducerEvent {
  enum class Kind : std::uint8_t {
    kAttached,      ///< a lease was granted: frames of `epoch` can be published
    kAttachFailed,  ///< not granted: `error`, with the driver's words
    kLeaseLost,     ///< for `loss`; `text` is what the driver said about it
    kDetached,      ///< the lease was given back
  };
  Kind kind = Kind::kAttached;
  std::uint32_t stream_id = 0;
  std::uint64_t epoch = 0;
  LeaseLoss loss = LeaseLoss::kRevoked;
  bool tries_again = false;  ///< by itself, after a pause
  Error error = {};
  std::string text = {};
};

/// How a stream is laid out and announced. The defaults are those of the protocol (§1.24).
///
/// Under a driver the files are the driver's: where they lie and who may open them is its
/// configuration, and of the geometry only the wish counts.
struct StreamOptions {
  /// 0: standalone 10000 + CRC32C(name) mod 1000; under a driver the number that the driver has for
  /// `name`, or, without a name, one that it chooses.
  std::uint32_t stream_id = 0;
  /// What people call it; may be empty when stream_id is given. Printable US-ASCII (W93).
  std::string name = {};
  std::string summary = {};  ///< one line about shape and type, printable US-ASCII
  /// 0: the process id; under a driver a random one for each lease, and unlike all others (D79).
  std::uint32_t producer_id = 0;
  /// 0: 1024; under a driver what its profile says.
  std::uint32_t nslots = 0;
  /// Empty: one of 1 MiB; under a driver what its profile says. A driver is asked for one pool that
  /// takes the largest of these, by the name of the stream; its own streams stay as configured.
  std::vector<PoolOptions> pools = {};

  std::string shm_base_dir = "/dev/shm";
  std::string name_space = "default";  ///< `<namespace>` of the directory layout (W140)
  bool private_files = false;          ///< 0600 and 0700 instead of 0660 and 2770 (W149, W150)
  bool unlink_on_close = true;         ///< W152
  bool require_hugepages = false;      ///< `shm_base_dir` has to lie on hugetlbfs (W112)

  std::string descriptor_channel = "aeron:ipc?term-length=4m";
  std::int32_t descriptor_stream_id = 1100;  ///< 0: by the number of the stream, as `tp` does
  bool stamp_descriptors =
      false;  ///< put the publish time into descriptors: one clock read per frame (W190)
  Nanos announce_period = std::chrono::milliseconds(1000);
  Nanos metadata_period = std::chrono::milliseconds(1000);  ///< of name, summary, metadata set
  MetadataLimits metadata = {};  ///< what `set_metadata` and `send_blob` take
  Nanos freshness_window =
      {};  ///< age below which an old epoch is left alone; 0: 3 announce periods
  CommitHook commit_hook = {};
  /// Wake consumers that sleep until a frame comes (`WaitKind::kPark`, `kHybrid`). Costs a barrier
  /// and a load with each frame, and a call of the system only while somebody sleeps.
  bool wakes_consumers = true;

  // Progress: what consumers are told of claims that are being filled (§1.17).
  ProgressSettings progress = {};
  /// Store the whole header with `Claim::begin_filling`, so that consumers with
  /// `ProgressOptions::early_header` may read what is there before the commit (W369).
  bool early_header = false;

  // Consumers that ask for streams of their own (§1.15).
  Nanos qos_interval = std::chrono::milliseconds(1000);    ///< of QosProducer
  Nanos hello_interval = std::chrono::milliseconds(1000);  ///< at which consumers say hello
  /// Silence after which a consumer's own streams are closed: 3 to 5 of the longer of these two;
  /// 0: 5 of it (W319).
  Nanos consumer_stale = {};
  std::size_t max_consumers = 256;  ///< more are served on the shared streams only (W307)
  /// False where somebody else answers the consumers (W293); the producer then does as that one
  /// says. It steps back by itself for a driver that answers them, or a supervisor that it hears.
  bool answer_hellos = true;

  // Under a driver.
  bool create_stream = true;  ///< have the stream made where there is none (EXISTING_OR_CREATE)
  bool reattach = true;       ///< ask for another lease when one is lost
  /// Called on the thread that does the control work. May be empty. Must not call back into the
  /// library.
  std::function<void(const ProducerEvent&)> on_event = {};

  /// Geometry for frames of `frame_bytes` at `rate_hz`, with `slack` of time for a reader that
  /// falls behind (W276): one pool with the next power of two as stride, 8 to 1024 slots. Where the
  /// slack allows it, the pool stays inside the last-level cache, which makes copies faster.
  /// Refuses what would take more than half of the free space of `shm_base_dir`.
  [[nodiscard]] TENSORPOOL_EXPORT static Result<StreamOptions> for_frames(
      std::uint64_t frame_bytes, double rate_hz, Nanos slack = std::chrono::milliseconds(100));
};

/// A slot that was taken for external filling (W179): write into `payload()`, then commit.
///
/// Move-only. The destructor aborts an open claim and counts it (`claims_dropped`). A claim may
/// outlive its producer and then answers kStaleClaim; the memory stays mapped as long.
///
/// Thread contract: the payload may be filled by any thread or device; every call, the destructor
/// included, is made on the producer's thread.
class TENSORPOOL_EXPORT Claim {
 public:
  Claim(Claim&& other) noexcept;
  Claim& operator=(Claim&& other) noexcept;
  Claim(const Claim&) = delete;
  Claim& operator=(const Claim&) = delete;
  ~Claim();

  [[nodiscard]] std::uint64_t seq() const noexcept { return open_.seq; }
  /// Room for the payload: the whole slot, at least as long as was asked for.
  [[nodiscard]] std::span<std::byte> payload() const noexcept { return open_.payload; }

  /// Commits the frame with as many payload bytes as were asked for. Only kCommitted ends the
  /// claim; after any other answer it can be corrected and committed again. Claims are committed in
  /// the order they were taken (W181). Without a capture time now_mono is taken, which costs a
  /// clock read.
  [[nodiscard]] CommitStatus commit(const TensorInfo& info,
                                    std::optional<std::uint64_t> capture_time_ns = {}) & noexcept {
    return commit(info, requested_bytes_, capture_time_ns);
  }
  /// The same with another number of payload bytes, at most `payload().size()`.
  [[nodiscard]] CommitStatus commit(const TensorInfo& info, std::size_t payload_bytes,
                                    std::optional<std::uint64_t> capture_time_ns) & noexcept;

  /// Gives the claim up: its number is used, and consumers see a gap (W182).
  void abort() noexcept;

  // Progress (§1.17), for consumers that asked for it. While none did, each call of `filled` is one
  // branch.

  /// Says what the frame is going to be, so that progress can be told in its rows or columns
  /// (`TensorInfo::progress_unit`). With StreamOptions::early_header that cannot be changed any
  /// more, and without this call nothing is told before the commit. False for what `commit` would
  /// refuse: nothing has changed, and the claim is usable.
  [[nodiscard]] bool begin_filling(const TensorInfo& info,
                                   std::optional<std::uint64_t> capture_time_ns = {}) & noexcept {
    return begin_filling(info, requested_bytes_, capture_time_ns);
  }
  /// The same with another number of payload bytes, at most `payload().size()`.
  [[nodiscard]] bool begin_filling(const TensorInfo& info, std::size_t payload_bytes,
                                   std::optional<std::uint64_t> capture_time_ns) & noexcept;
  /// The first `bytes` of the payload are there for good. May be called as often as there is
  /// something new, and with the same number again: consumers are told as often as they wish. A
  /// claim of which something was told is not committed with less.
  void filled(std::size_t bytes) noexcept;
  /// The same in rows or columns, as `begin_filling` has said.
  void filled_units(std::size_t units) noexcept { filled(units * unit_bytes_); }

 private:
  friend class Producer;
  explicit Claim(detail::ProducerCore* core) noexcept : core_(core) {}

  detail::ProducerCore* core_;
  detail::OpenClaim open_;
  std::size_t requested_bytes_ = 0;
  std::size_t unit_bytes_ = 0;  ///< of a row or column, once it is known
};

/// Writes the frames of one stream. Never waits for anybody: the oldest frame is overwritten, read
/// or not (W186).
///
/// Under a driver a producer writes while it holds a lease. It begins without one, gets it by
/// itself, and gets another when it is lost; until then calls answer kNotAttached or kLeaseLost,
/// and claims of the lost epoch kStaleClaim. What was lost is lost for good: the next epoch begins
/// with frame 0. A lease ends by the producer's own clock, too: one that was stopped for longer
/// than its lease writes nothing more when it goes on.
///
/// Thread contract: one thread at a time for publish, claim and counters (W163). The control work
/// (announces, activity, the lease) is done by the client. attach_state and wait_attached: any.
class TENSORPOOL_EXPORT Producer {
 public:
  Producer(Producer&& other) noexcept;
  Producer& operator=(Producer&& other) noexcept;
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;
  /// Ends the epoch: announces stop, files are unlinked (W152, W153); under a driver the lease is
  /// given back. Open claims turn stale.
  ~Producer();

  /// Waits until frames can be published: at once in standalone mode. Errors: kTimeout, or why
  /// there is no lease where that is known, in the driver's words (kAttachRefused, where
  /// somebody else publishes; kLeaseLost); at once where it is not tried again. With
  /// Threading::kInvoked it does the control work meanwhile.
  [[nodiscard]] Status wait_attached(Nanos patience);
  /// kAttached in standalone mode.
  [[nodiscard]] AttachState attach_state() const noexcept;

  /// Copies one frame into the ring and tells the consumers. Allocates nothing, makes no system
  /// call; without a capture time it reads the clock once.
  [[nodiscard]] PublishStatus publish(const TensorInfo& info, std::span<const std::byte> payload,
                                      std::optional<std::uint64_t> capture_time_ns = {}) noexcept;

  /// Takes a slot for a payload of `bytes`. Several claims may be open at a time, up to the number
  /// of slots.
  [[nodiscard]] tl::expected<Claim, PublishStatus> claim(
      std::size_t bytes, FillWith fill = FillWith::kAnything) noexcept;

  /// Replaces the metadata of the stream: the complete set, for frames that are committed from now
  /// on (W375). Consumers get it at once and again every `metadata_period`, so late ones have it,
  /// too. The same set again is no change. Under a driver it stays in force in the next epoch.
  /// Errors: kMetadataTooLarge for what does not fit into one message, which is an eighth of the
  /// term length of the metadata channel (send_blob takes more); kInvalidArgument for empty keys,
  /// keys or formats that are not printable US-ASCII, reserved names. Locks and allocates.
  [[nodiscard]] Status set_metadata(std::vector<Attribute> attributes);

  /// Queues a blob; the client sends it in pieces, after those before it, as fast as consumers take
  /// them. Those who come later do not get it, and nobody repeats a piece that was lost (W387):
  /// send it again where that matters. Errors: kMetadataTooLarge, kLimitReached. Locks and
  /// allocates.
  [[nodiscard]] Status send_blob(std::uint32_t type, std::vector<std::byte> bytes);
  /// Blobs that are not wholly sent; a producer that ends takes them along.
  [[nodiscard]] std::size_t blobs_pending() const;

  /// 0 while a driver is being asked for it.
  [[nodiscard]] std::uint32_t stream_id() const noexcept;
  /// 0 without a lease, as the next three.
  [[nodiscard]] std::uint64_t epoch() const noexcept;
  /// The number that the next frame will get.
  [[nodiscard]] std::uint64_t next_seq() const noexcept;
  [[nodiscard]] std::uint32_t nslots() const noexcept;
  /// The largest payload that fits (W46).
  [[nodiscard]] std::size_t payload_bytes_max() const noexcept;
  /// True while at least one consumer subscribes to the descriptors.
  [[nodiscard]] bool has_subscribers() const noexcept;
  [[nodiscard]] ProducerCounters counters() const noexcept;
  /// About leases, on any thread; zero without a driver.
  [[nodiscard]] AttachCounters attach_counters() const noexcept;

 private:
  friend class BufferQueue;
  friend class Client;
  explicit Producer(detail::ProducerCore* core) noexcept : core_(core) {}
  detail::ProducerCore* core_;
};

}  // namespace tensorpool::inline v0
