#include "bus/publication.hpp"

#include <aeronc.h>

#include <cstddef>
#include <cstring>
#include <new>
#include <utility>

#include "bus/session.hpp"

namespace tensorpool::inline v0::bus {

void ExclusivePublication::adopt(std::shared_ptr<Session> session, AeronHandle* handle) noexcept {
  session_ = std::move(session);
  handle_ = handle;
  aeron_publication_constants_t constants{};
  if (aeron_exclusive_publication_constants(handle_, &constants) == 0) {
    max_payload_bytes_ = constants.max_payload_length;
    max_message_bytes_ = constants.max_message_length;
    term_bytes_ = constants.term_buffer_length;
    session_id_ = constants.session_id;
    stream_id_ = constants.stream_id;
  }
}

ExclusivePublication::~ExclusivePublication() {
  // A lost client frees its publications when it is closed.
  if (handle_ != nullptr && session_->may_call()) {
    aeron_exclusive_publication_close(handle_, nullptr, nullptr);
  }
}

OfferStatus ExclusivePublication::try_claim(std::size_t size, BufferClaim& out) noexcept {
  if (size > max_payload_bytes_) [[unlikely]] {
    return OfferStatus::kError;  // W435
  }
  static_assert(sizeof(BufferClaim) == sizeof(aeron_buffer_claim_t) &&
                offsetof(aeron_buffer_claim_t, data) == sizeof(void*));
  auto* const claim = new (&out.aeron_) aeron_buffer_claim_t;
  const std::int64_t position = aeron_exclusive_publication_try_claim(handle_, size, claim);
  return position < 0 ? refused(position) : OfferStatus::kOk;
}

void ExclusivePublication::commit(BufferClaim& claim) noexcept {
  aeron_buffer_claim_commit(std::launder(reinterpret_cast<aeron_buffer_claim_t*>(&claim.aeron_)));
}

OfferStatus ExclusivePublication::try_claim_and_copy(const void* bytes, std::size_t size) noexcept {
  BufferClaim claim;
  const OfferStatus status = try_claim(size, claim);
  if (status == OfferStatus::kOk) [[likely]] {
    std::memcpy(claim.data(), bytes, size);
    commit(claim);
  }
  return status;
}

Result<OfferStatus> ExclusivePublication::offer(std::span<const std::byte> message) noexcept {
  if (message.size() > max_message_bytes_) {
    return fail(Errc::kMessageTooLong, {}, message.size(), max_message_bytes_);
  }
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(message.data());
  const std::int64_t position =
      aeron_exclusive_publication_offer(handle_, bytes, message.size(), nullptr, nullptr);
  return position < 0 ? refused(position) : OfferStatus::kOk;
}

[[gnu::cold, gnu::noinline]] OfferStatus ExclusivePublication::refused(std::int64_t code) noexcept {
  switch (code) {
    case AERON_PUBLICATION_NOT_CONNECTED:
      return OfferStatus::kNotConnected;
    case AERON_PUBLICATION_BACK_PRESSURED:
      return OfferStatus::kBackPressured;
    case AERON_PUBLICATION_ADMIN_ACTION:
      return OfferStatus::kAdminAction;
    case AERON_PUBLICATION_CLOSED:
      return OfferStatus::kClosed;
    case AERON_PUBLICATION_MAX_POSITION_EXCEEDED:
      exhausted_.store(true, std::memory_order_relaxed);
      return OfferStatus::kError;
    default:
      return OfferStatus::kError;
  }
}

bool ExclusivePublication::is_connected() const noexcept {
  return aeron_exclusive_publication_is_connected(handle_);
}

bool ExclusivePublication::is_closed() const noexcept {
  return aeron_exclusive_publication_is_closed(handle_);
}

std::int64_t ExclusivePublication::position() const noexcept {
  return aeron_exclusive_publication_position(handle_);
}

}  // namespace tensorpool::inline v0::bus
