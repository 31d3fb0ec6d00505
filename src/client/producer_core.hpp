// The inside of a Producer. Spec: §1.10.
//
// Life: held by its Producer and by each open Claim, all on the producer's thread, so a plain count
// does. The regions stay mapped until the last of them goes; announces and activity end with the
// Producer.
#pragma once

#include <cstdint>
#include <memory>

#include "base/atomics.hpp"
#include "client/client_core.hpp"
#include "core/producer/frame_writer.hpp"
#include "tensorpool/producer.hpp"

namespace tensorpool::inline v0::detail {

class ProducerCore {
 public:
  using Writer = core::producer::FrameWriter<base::DefaultAtom>;

  /// Creates the files and begins to announce them. The caller is the first holder.
  [[nodiscard]] static Result<ProducerCore*> create(std::shared_ptr<ClientCore> client,
                                                    const StreamOptions& options);
  ProducerCore(const ProducerCore&) = delete;
  ProducerCore& operator=(const ProducerCore&) = delete;

  [[nodiscard]] PublishStatus publish(const TensorInfo& info, std::span<const std::byte> payload,
                                      std::optional<std::uint64_t> capture_time_ns) noexcept;
  [[nodiscard]] PublishStatus claim(std::size_t bytes, FillWith fill,
                                    core::producer::OpenClaim& out) noexcept;
  [[nodiscard]] CommitStatus commit(const core::producer::OpenClaim& claim, const TensorInfo& info,
                                    std::size_t payload_bytes,
                                    std::optional<std::uint64_t> capture_time_ns) noexcept;
  void abort(const core::producer::OpenClaim& claim) noexcept;
  void drop(const core::producer::OpenClaim& claim) noexcept;

  /// The Producer ends: no announce and no activity from here on.
  void close() noexcept;
  void retain() noexcept { ++holders_; }
  void release() noexcept;

  [[nodiscard]] std::uint32_t stream_id() const noexcept { return stream_.plan().stream_id(); }
  [[nodiscard]] const Writer& writer() const noexcept { return writer_; }
  [[nodiscard]] bool has_subscribers() noexcept;
  [[nodiscard]] ProducerCounters counters() const noexcept;

 private:
  ProducerCore(std::shared_ptr<ClientCore> client, os::OwnedStream stream,
               const StreamOptions& options);
  ~ProducerCore() = default;
  [[nodiscard]] std::uint64_t time_of(std::optional<std::uint64_t> capture_time_ns) const noexcept;
  void send_descriptor() noexcept;

  std::shared_ptr<ClientCore> client_;
  os::OwnedStream stream_;
  core::ring::StreamMemory<base::DefaultAtom> memory_;
  Writer writer_;
  std::unique_ptr<agents::OwnerAgent> agent_;  // null once closed
  CommitHook commit_hook_;
  bool stamp_descriptors_;
  std::uint32_t holders_ = 1;
};

}  // namespace tensorpool::inline v0::detail
