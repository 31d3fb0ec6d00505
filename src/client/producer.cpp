#include "tensorpool/producer.hpp"

#include <algorithm>

#include "client/producer_core.hpp"

namespace tensorpool::inline v0 {

Claim::Claim(Claim&& other) noexcept
    : core_(std::exchange(other.core_, nullptr)),
      open_(other.open_),
      requested_bytes_(other.requested_bytes_),
      unit_bytes_(other.unit_bytes_) {}

Claim& Claim::operator=(Claim&& other) noexcept {
  std::swap(core_, other.core_);
  std::swap(open_, other.open_);
  std::swap(requested_bytes_, other.requested_bytes_);
  std::swap(unit_bytes_, other.unit_bytes_);
  return *this;
}

Claim::~Claim() {
  if (core_ != nullptr) {
    core_->drop(open_);
    core_->release();
  }
}

CommitStatus Claim::commit(const TensorInfo& info, std::size_t payload_bytes,
                           std::optional<std::uint64_t> capture_time_ns) & noexcept {
  if (core_ == nullptr) {
    return CommitStatus::kStaleClaim;
  }
  const CommitStatus status = core_->commit(open_, info, payload_bytes, capture_time_ns);
  if (status == CommitStatus::kCommitted) [[likely]] {
    core_->release();
    core_ = nullptr;
  }
  return status;
}

void Claim::abort() noexcept {
  if (core_ != nullptr) {
    core_->abort(open_);
    core_->release();
    core_ = nullptr;
  }
}

bool Claim::begin_filling(const TensorInfo& info, std::size_t payload_bytes,
                          std::optional<std::uint64_t> capture_time_ns) & noexcept {
  if (core_ == nullptr || !core_->begin_filling(open_, info, payload_bytes, capture_time_ns)) {
    return false;
  }
  requested_bytes_ = payload_bytes;
  unit_bytes_ = info.progress_unit == ProgressUnit::kNone ? 0 : info.progress_stride_bytes;
  return true;
}

void Claim::filled(std::size_t bytes) noexcept {
  if (core_ != nullptr) {
    core_->filled(open_, std::min(bytes, requested_bytes_),
                  static_cast<std::uint32_t>(unit_bytes_));
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

tl::expected<Claim, PublishStatus> Producer::claim(std::size_t bytes, FillWith fill) noexcept {
  // Filled in place: a copy of what was stored a moment ago, in wider pieces, would wait for all
  // stores before it, that of IN_PROGRESS included.
  tl::expected<Claim, PublishStatus> made = Claim(core_);
  const PublishStatus status =
      core_ == nullptr ? PublishStatus::kClosed : core_->claim(bytes, fill, made->open_);
  if (status == PublishStatus::kPublished) [[likely]] {
    core_->retain();
    made->requested_bytes_ = bytes;
  } else {
    made->core_ = nullptr;
    made = tl::unexpected<PublishStatus>(status);
  }
  return made;
}

Status Producer::wait_attached(Nanos patience) {
  return core_ == nullptr ? fail(Errc::kClosed, "producer") : core_->wait_attached(patience);
}
AttachState Producer::attach_state() const noexcept {
  return core_ == nullptr ? AttachState::kUnattached : core_->attach_state();
}

Status Producer::set_metadata(std::vector<Attribute> attributes) {
  return core_ == nullptr ? fail(Errc::kClosed, "producer")
                          : core_->set_metadata(std::move(attributes));
}
Status Producer::send_blob(std::uint32_t type, std::vector<std::byte> bytes) {
  return core_ == nullptr ? fail(Errc::kClosed, "producer")
                          : core_->send_blob(type, std::move(bytes));
}
std::size_t Producer::blobs_pending() const {
  return core_ == nullptr ? 0 : core_->blobs_pending();
}

std::uint32_t Producer::stream_id() const noexcept {
  return core_ == nullptr ? 0 : core_->stream_id();
}
std::uint64_t Producer::epoch() const noexcept {
  const auto* const writer = core_ == nullptr ? nullptr : core_->writer();
  return writer == nullptr ? 0 : writer->epoch();
}
std::uint64_t Producer::next_seq() const noexcept {
  const auto* const writer = core_ == nullptr ? nullptr : core_->writer();
  return writer == nullptr ? 0 : writer->next_seq();
}
std::uint32_t Producer::nslots() const noexcept {
  const auto* const writer = core_ == nullptr ? nullptr : core_->writer();
  return writer == nullptr ? 0 : writer->memory().nslots;
}
std::size_t Producer::payload_bytes_max() const noexcept {
  const auto* const writer = core_ == nullptr ? nullptr : core_->writer();
  return writer == nullptr ? 0 : writer->payload_bytes_max();
}
bool Producer::has_subscribers() const noexcept {
  return core_ != nullptr && core_->has_subscribers();
}
ProducerCounters Producer::counters() const noexcept {
  return core_ == nullptr ? ProducerCounters{} : core_->counters();
}
AttachCounters Producer::attach_counters() const noexcept {
  return core_ == nullptr ? AttachCounters{} : core_->attach_counters();
}

}  // namespace tensorpool::inline v0
