#include "tensorpool/producer.hpp"

#include "client/producer_core.hpp"

namespace tensorpool::inline v0 {
namespace {

[[nodiscard]] core::producer::OpenClaim open_claim(std::uint64_t seq, std::uint64_t epoch,
                                                   std::span<std::byte> payload,
                                                   std::uint32_t pool_index) noexcept {
  return {.seq = seq, .epoch = epoch, .payload = payload, .pool_index = pool_index};
}

}  // namespace

Claim::Claim(Claim&& other) noexcept {
  *this = std::move(other);
}

Claim& Claim::operator=(Claim&& other) noexcept {
  std::swap(core_, other.core_);
  std::swap(seq_, other.seq_);
  std::swap(epoch_, other.epoch_);
  std::swap(payload_, other.payload_);
  std::swap(requested_bytes_, other.requested_bytes_);
  std::swap(pool_index_, other.pool_index_);
  return *this;
}

Claim::~Claim() {
  if (core_ != nullptr) {
    core_->drop(open_claim(seq_, epoch_, payload_, pool_index_));
    core_->release();
  }
}

CommitStatus Claim::commit(const TensorInfo& info, std::size_t payload_bytes,
                           std::optional<std::uint64_t> capture_time_ns) & noexcept {
  if (core_ == nullptr) {
    return CommitStatus::kStaleClaim;
  }
  const CommitStatus status = core_->commit(open_claim(seq_, epoch_, payload_, pool_index_), info,
                                            payload_bytes, capture_time_ns);
  if (status == CommitStatus::kCommitted) [[likely]] {
    core_->release();
    core_ = nullptr;
  }
  return status;
}

void Claim::abort() noexcept {
  if (core_ != nullptr) {
    core_->abort(open_claim(seq_, epoch_, payload_, pool_index_));
    core_->release();
    core_ = nullptr;
  }
}

Producer::Producer(Producer&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}

Producer& Producer::operator=(Producer&& other) noexcept {
  std::swap(core_, other.core_);
  return *this;
}

Producer::~Producer() {
  if (core_ != nullptr) {
    core_->close();
    core_->release();
  }
}

PublishStatus Producer::publish(const TensorInfo& info, std::span<const std::byte> payload,
                                std::optional<std::uint64_t> capture_time_ns) noexcept {
  return core_ == nullptr ? PublishStatus::kClosed : core_->publish(info, payload, capture_time_ns);
}

tl::expected<Claim, PublishStatus> Producer::claim(std::size_t bytes) noexcept {
  if (core_ == nullptr) {
    return tl::unexpected<PublishStatus>(PublishStatus::kClosed);
  }
  core::producer::OpenClaim open;
  const PublishStatus status = core_->claim(bytes, open);
  if (status != PublishStatus::kPublished) [[unlikely]] {
    return tl::unexpected<PublishStatus>(status);
  }
  Claim claim;
  core_->retain();
  claim.core_ = core_;
  claim.seq_ = open.seq;
  claim.epoch_ = open.epoch;
  claim.payload_ = open.payload;
  claim.requested_bytes_ = bytes;
  claim.pool_index_ = open.pool_index;
  return claim;
}

std::uint32_t Producer::stream_id() const noexcept {
  return core_ == nullptr ? 0 : core_->stream_id();
}
std::uint64_t Producer::epoch() const noexcept {
  return core_ == nullptr ? 0 : core_->writer().epoch();
}
std::uint64_t Producer::next_seq() const noexcept {
  return core_ == nullptr ? 0 : core_->writer().next_seq();
}
std::size_t Producer::payload_bytes_max() const noexcept {
  return core_ == nullptr ? 0 : core_->writer().payload_bytes_max();
}
bool Producer::has_subscribers() const noexcept {
  return core_ != nullptr && core_->has_subscribers();
}
ProducerCounters Producer::counters() const noexcept {
  return core_ == nullptr ? ProducerCounters{} : core_->counters();
}

}  // namespace tensorpool::inline v0
