// hot-path: try_claim and commit are one call into Aeron each. No allocation, no lock, no system
// call, no clock.
//
// An exclusive publication: one writer, no lock.
//
// Thread contract. try_claim, commit, offer and position: one data thread. is_connected, is_closed
// and the constants: any thread. Construction (Client::begin_add_publication) and destruction: the
// control thread, when the data thread uses it no more; Handoff arranges that.
//
// After the media driver is lost every call stays safe and answers kClosed, for as long as the
// object lives: it holds the connection, and with it Aeron's mappings. Spec: §1.10 (W198, W199),
// §1.23 (W434, W435).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>

#include "bus/aeron_fwd.hpp"
#include "tensorpool/types/error.hpp"

namespace tensorpool::inline v0::bus {

class Session;
template <class T>
class Pending;

/// What became of one message: Aeron's answers, each with a counter of its own (W199).
enum class [[nodiscard]] OfferStatus : std::uint8_t{
    kOk,
    kNotConnected,   ///< Nobody subscribes.
    kBackPressured,  ///< A subscriber that counts has not read for a window's length.
    kAdminAction,    ///< The log turned its page; one immediate retry is allowed (W200).
    kClosed,         ///< The publication or its media driver is gone.
    kError,          ///< Anything else: too long for this call, or the log has reached its end.
};

/// Room for one message, in the log itself.
class BufferClaim {
 public:
  [[nodiscard]] std::byte* data() const noexcept {
    std::byte* data;
    std::memcpy(&data, aeron_ + sizeof(void*), sizeof(data));
    return data;
  }

 private:
  friend class ExclusivePublication;
  // Aeron's own struct: a copy of it would wait for all stores before.
  alignas(void*) std::byte aeron_[2 * sizeof(void*) + sizeof(std::size_t)];
};

class ExclusivePublication {
 public:
  using AeronHandle = aeron_exclusive_publication_stct;

  ExclusivePublication(const ExclusivePublication&) = delete;
  ExclusivePublication& operator=(const ExclusivePublication&) = delete;
  ~ExclusivePublication();

  /// Takes room for a message of at most max_payload_bytes(). With kOk, write `out.data()` and call
  /// commit() at once: subscribers read nothing beyond it until then.
  OfferStatus try_claim(std::size_t size, BufferClaim& out) noexcept;
  void commit(BufferClaim& claim) noexcept;

  /// Both with a copy between them.
  OfferStatus try_claim_and_copy(const void* bytes, std::size_t size) noexcept;

  /// Sends one message in as many fragments as it needs. kMessageTooLong when it is longer than
  /// max_message_bytes(): nothing is sent and nothing truncated (W434).
  [[nodiscard]] Result<OfferStatus> offer(std::span<const std::byte> message) noexcept;

  [[nodiscard]] bool is_connected() const noexcept;
  [[nodiscard]] bool is_closed() const noexcept;
  /// True once the log has reached the end of its numbers (2^31 terms): it takes a new publication.
  [[nodiscard]] bool is_exhausted() const noexcept {
    return exhausted_.load(std::memory_order_relaxed);
  }
  /// Bytes written to the log so far, headers included; negative when closed.
  [[nodiscard]] std::int64_t position() const noexcept;

  [[nodiscard]] std::int32_t session_id() const noexcept { return session_id_; }
  [[nodiscard]] std::int32_t stream_id() const noexcept { return stream_id_; }
  [[nodiscard]] std::size_t max_payload_bytes() const noexcept { return max_payload_bytes_; }
  [[nodiscard]] std::size_t max_message_bytes() const noexcept { return max_message_bytes_; }
  [[nodiscard]] std::size_t term_bytes() const noexcept { return term_bytes_; }

 private:
  friend class Client;
  template <class T>
  friend class Pending;
  ExclusivePublication() = default;
  void adopt(std::shared_ptr<Session> session, AeronHandle* handle) noexcept;
  OfferStatus refused(std::int64_t code) noexcept;

  AeronHandle* handle_ = nullptr;
  std::size_t max_payload_bytes_ = 0;
  std::size_t max_message_bytes_ = 0;
  std::size_t term_bytes_ = 0;
  std::int32_t session_id_ = 0;
  std::int32_t stream_id_ = 0;
  // Written by the data thread, read by the control thread; stands alone, so no order is needed.
  std::atomic<bool> exhausted_{false};
  std::shared_ptr<Session> session_;
};

}  // namespace tensorpool::inline v0::bus
