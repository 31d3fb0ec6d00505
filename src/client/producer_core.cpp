#include "client/producer_core.hpp"

#include <algorithm>
#include <utility>

#include "agents/idle.hpp"
#include "core/wake/wake_protocol.hpp"
#include "os/futex.hpp"

namespace tensorpool::inline v0::detail {

ProducerCore::~ProducerCore() {
  if (wake_ != nullptr) {
    client_->remove(std::move(wake_));
  }
  for (WrittenEpoch* epoch = std::exchange(left_, nullptr); epoch != nullptr;) {
    std::exchange(epoch, epoch->next_left)->release();
  }
  if (present_ != nullptr) {
    present_->release();
  }
}

void ProducerCore::close() noexcept {
  closed_ = true;
  if (client_->is_forked()) {
    return;
  }
  if (wake_ != nullptr) {
    client_->remove(std::move(wake_));
  }
  if (tenant_ != nullptr) {
    client_->remove(std::move(tenant_));
  }
  if (owner_ != nullptr) {
    client_->remove(std::move(owner_));
    stream_->remove_files();  // W152; open claims keep the memory
  }
}

void ProducerCore::release() noexcept {
  if (--holders_ == 0 && !client_->is_forked()) {
    delete this;  // a forked child leaves everything to its parent
  }
}

// -- Epochs --------------------------------------------------------------------------------------

[[gnu::cold, gnu::noinline]] void ProducerCore::switch_epoch(WrittenEpoch* offered) noexcept {
  if (present_ != nullptr) {
    kept_ = present_->writer.counters();
    loss_untold_ = !std::exchange(lapse_told_, false);
    if (present_->open_claims != 0) {
      present_->next_left = std::exchange(left_, present_);
    } else {
      present_->release();
    }
  }
  present_ = offered;
  if (present_ != nullptr) {
    present_->retain();
    present_->writer.counters() = kept_;
    progress_.begin_epoch(stream_id(), present_->epoch());
    if (wake_ != nullptr) {
      wake_->want(stream_id(), present_->epoch());
    }
    shared_.next_seq.tell(present_->epoch(), present_->writer.next_seq());
  }
  writable_ = loss_untold_ ? nullptr : present_;
}

/// Why nothing may be written now.
[[gnu::cold, gnu::noinline]] PublishStatus ProducerCore::refuse() noexcept {
  if (writable_ != nullptr) {
    lapse_told_ = true;  // by our own clock; the control thread has not noticed yet (D142)
    return PublishStatus::kLeaseLost;
  }
  loss_untold_ = false;
  writable_ = present_;
  return shared_.lost_one.load(std::memory_order_relaxed) ? PublishStatus::kLeaseLost
                                                          : PublishStatus::kNotAttached;
}

// -- Frames --------------------------------------------------------------------------------------

PublishStatus ProducerCore::publish(const TensorInfo& info, std::span<const std::byte> payload,
                                    std::optional<std::uint64_t> capture_time_ns) noexcept {
  if (client_->is_forked()) [[unlikely]] {
    return PublishStatus::kForked;
  }
  take_offered();
  std::uint64_t timestamp_ns = 0;
  const Nanos now = read_clock(capture_time_ns, timestamp_ns);
  if (writable_ == nullptr || !writable_->may_write(now)) [[unlikely]] {
    return refuse();
  }
  const PublishStatus status = writable_->writer.publish(info, payload, timestamp_ns);
  if (status == PublishStatus::kPublished) [[likely]] {
    shared_.next_seq.go_on(writable_->writer.next_seq());
    tell_consumers(*writable_, payload.size());
  } else {
    shared_.tally.tell_all(writable_->writer.counters());
  }
  return status;
}

PublishStatus ProducerCore::claim(std::size_t bytes, FillWith fill, OpenClaim& out) noexcept {
  if (client_->is_forked()) [[unlikely]] {
    return PublishStatus::kForked;
  }
  take_offered();
  const Nanos now = leased_ ? os::SystemClock::coarse_mono() : Nanos{};
  if (writable_ == nullptr || !writable_->may_write(now)) [[unlikely]] {
    return refuse();
  }
  const PublishStatus status = writable_->writer.claim(bytes, out, fill);
  if (status == PublishStatus::kPublished) [[likely]] {
    shared_.next_seq.go_on(writable_->writer.next_seq());
    ++writable_->open_claims;
    if (!progress_.is_quiet()) [[unlikely]] {
      tell_started(*writable_, out.seq);
    }
  } else {
    shared_.tally.tell_all(writable_->writer.counters());
  }
  return status;
}

CommitStatus ProducerCore::commit(const OpenClaim& claim, const TensorInfo& info,
                                  std::size_t payload_bytes,
                                  std::optional<std::uint64_t> capture_time_ns) noexcept {
  if (client_->is_forked()) [[unlikely]] {
    return CommitStatus::kForked;
  }
  take_offered();
  std::uint64_t timestamp_ns = 0;
  const Nanos now = read_clock(capture_time_ns, timestamp_ns);
  WrittenEpoch* const epoch = epoch_of(claim, now);
  if (epoch == nullptr) [[unlikely]] {
    return CommitStatus::kStaleClaim;
  }
  if (!progress_.is_quiet() && payload_bytes < progress_.told_bytes(claim.seq)) [[unlikely]] {
    count<&ProducerCounters::invalid_params>(epoch->writer.counters());
    return CommitStatus::kInvalidParams;  // W345
  }
  if (commit_hook_.flush != nullptr) {
    commit_hook_.flush(commit_hook_.context, claim.payload);  // W155
  }
  const CommitStatus status = epoch->writer.commit(claim, info, payload_bytes, timestamp_ns);
  if (status == CommitStatus::kCommitted) [[likely]] {
    --epoch->open_claims;
    tell_consumers(*epoch, payload_bytes);
  } else {
    shared_.tally.tell_all(epoch->writer.counters());
  }
  return status;
}

void ProducerCore::abort(const OpenClaim& claim) noexcept {
  end_claim(claim, &ProducerCounters::claims_aborted);
}

void ProducerCore::drop(const OpenClaim& claim) noexcept {
  end_claim(claim, &ProducerCounters::claims_dropped);
}

void ProducerCore::end_claim(const OpenClaim& claim,
                             std::uint64_t ProducerCounters::*count) noexcept {
  if (client_->is_forked()) {
    return;
  }
  ProducerCounters& counters = present_ != nullptr ? present_->writer.counters() : kept_;
  ++(counters.*count);
  shared_.tally.tell_all(counters);
  if (present_ != nullptr && present_->epoch() == claim.epoch) {
    --present_->open_claims;
    present_->writer.abort(claim);
    progress_.on_aborted(claim.seq);
    return;
  }
  for (WrittenEpoch** at = &left_; *at != nullptr; at = &(*at)->next_left) {
    WrittenEpoch* const epoch = *at;
    if (epoch->epoch() == claim.epoch) {
      if (--epoch->open_claims == 0) {
        *at = epoch->next_left;
        epoch->release();
      }
      return;
    }
  }
}

/// The frame is in the ring. Whoever is woken finds its descriptor.
inline void ProducerCore::tell_consumers(WrittenEpoch& epoch, std::size_t payload_bytes) noexcept {
  shared_.tally.tell<&ProducerCounters::frames_published>(epoch.writer.counters());
  send_descriptor(epoch, epoch.descriptors.current());  // W187
  if (shared_.own_streams.descriptors.any()) [[unlikely]] {
    send_to_single_consumers(epoch);
  }
  if (!progress_.is_quiet()) [[unlikely]] {
    tell_complete(epoch, payload_bytes);  // W346
  }
  wake_whoever_sleeps(epoch);
}

[[gnu::cold, gnu::noinline]] void ProducerCore::wake_sleepers(layout::WakeWords& words,
                                                              ProducerCounters& counters) noexcept {
  if (!wake_budget_.take(client_->clock().mono())) {
    count<&ProducerCounters::wakes_put_off>(counters);
    return;
  }
  core::wake::take_armings<base::DefaultAtom>(words.armed, words.ticket);
  os::futex_wake_all(words.ticket);
  count<&ProducerCounters::wakes>(counters);
}

/// W188, W335..W337. A failure on one stream has no effect on another (W202).
[[gnu::noinline]] void ProducerCore::send_to_single_consumers(WrittenEpoch& epoch) noexcept {
  std::optional<Nanos> now;
  shared_.own_streams.descriptors.use([&](agents::OwnStreams::List& streams) noexcept {
    for (agents::OwnPublication* const stream : streams) {
      const Nanos interval{stream->interval_ns.load(std::memory_order_relaxed)};
      if (interval == Nanos{0}) {
        send_descriptor(epoch, stream->link.current());
        continue;
      }
      now = now ? now : client_->clock().mono();
      if (stream->cap.is_due(*now, interval)) {
        if (send_descriptor(epoch, stream->link.current())) {
          stream->cap.sent(*now);
        }
      }
    }
  });
}

/// W191, W198..W201: never blocks, and each failure has its counter. True when it was sent.
bool ProducerCore::send_descriptor(WrittenEpoch& epoch, bus::ExclusivePublication* out) noexcept {
  ProducerCounters& counters = epoch.writer.counters();
  if (out == nullptr) [[unlikely]] {
    count<&ProducerCounters::descriptor_closed>(counters);
    return false;
  }
  bus::BufferClaim claim;
  bus::OfferStatus status = out->try_claim(sizeof(layout::FrameDescriptorMessage), claim);
  if (status == bus::OfferStatus::kAdminAction) {
    status = out->try_claim(sizeof(layout::FrameDescriptorMessage), claim);  // W200
  }
  if (status == bus::OfferStatus::kOk) [[likely]] {
    auto& message = *reinterpret_cast<layout::FrameDescriptorMessage*>(claim.data());
    epoch.writer.write_descriptor(message);
    if (stamp_descriptors_) {
      message.timestamp_ns = static_cast<std::uint64_t>(client_->clock().mono().count());
    }
    out->commit(claim);
    return true;
  }
  switch (status) {
    case bus::OfferStatus::kOk:
      break;
    case bus::OfferStatus::kNotConnected:
      count<&ProducerCounters::descriptor_not_connected>(counters);
      break;
    case bus::OfferStatus::kBackPressured:
      count<&ProducerCounters::descriptor_backpressured>(counters);
      break;
    case bus::OfferStatus::kAdminAction:
      count<&ProducerCounters::descriptor_admin_action>(counters);
      break;
    case bus::OfferStatus::kClosed:
      count<&ProducerCounters::descriptor_closed>(counters);
      break;
    case bus::OfferStatus::kError:
      count<&ProducerCounters::descriptor_error>(counters);
      break;
  }
  return false;
}

// -- Metadata ------------------------------------------------------------------------------------

agents::MetadataSource& ProducerCore::metadata() noexcept {
  return owner_ != nullptr ? owner_->metadata() : tenant_->metadata();
}

/// The agent says which version the set has, in which epoch; the writer of that epoch, or of a
/// later one, knows it as soon as the next frame.
Status ProducerCore::set_metadata(std::vector<Attribute> attributes) {
  if (client_->is_forked() || closed_) {
    return fail(client_->is_forked() ? Errc::kForked : Errc::kClosed, "set_metadata");
  }
  using EpochVersion = agents::TenantAgent::EpochVersion;
  auto set =
      client_->with_control([&](agents::ControlBus& control, Nanos now) -> Result<EpochVersion> {
        if (tenant_ != nullptr) {
          return tenant_->set_metadata(std::move(attributes), control, now);
        }
        const Result<std::uint32_t> version =
            owner_->set_metadata(std::move(attributes), control, now);
        return version ? Result<EpochVersion>({stream_->epoch(), *version}) : fail(version.error());
      });
  if (!set) {
    return fail(set.error().in_stream(stream_id()));
  }
  take_offered();
  if (present_ != nullptr && present_->epoch() == set->epoch) {
    present_->writer.set_meta_version(set->version);  // W375
  }
  return {};
}

Status ProducerCore::send_blob(std::uint32_t type, std::vector<std::byte> bytes) {
  if (client_->is_forked() || closed_) {
    return fail(client_->is_forked() ? Errc::kForked : Errc::kClosed, "send_blob");
  }
  return client_->with_control(
      [&](agents::ControlBus&, Nanos) { return metadata().push_blob(type, std::move(bytes)); });
}

std::size_t ProducerCore::blobs_pending() {
  if (client_->is_forked() || closed_) {
    return 0;
  }
  return client_->with_control(
      [&](agents::ControlBus&, Nanos) { return metadata().blobs_pending(); });
}

// -- Readings ------------------------------------------------------------------------------------

Status ProducerCore::wait_attached(Nanos patience) {
  if (client_->is_forked()) {
    return fail(Errc::kForked, "wait_attached");
  }
  if (!leased_) {
    return {};
  }
  agents::Standing::Now standing =
      client_->is_invoked() ? drive_until_settled(patience) : shared_.standing.wait(patience);
  if (standing.state == AttachState::kAttached) {
    return {};
  }
  return standing.error.code != Errc{} ? fail(standing.error)
                                       : fail(Errc::kTimeout, "no driver has answered");
}

agents::Standing::Now ProducerCore::drive_until_settled(Nanos patience) {
  agents::Idle idle{{}};
  const Nanos end = client_->clock().mono() + patience;
  while (!shared_.standing.now().is_settled() && client_->clock().mono() < end) {
    idle.idle(client_->invoke());
  }
  return shared_.standing.now();
}

AttachState ProducerCore::attach_state() const noexcept {
  if (client_->is_forked()) {
    return AttachState::kUnattached;  // the lock may have been held by a thread that is not here
  }
  return leased_ ? shared_.standing.now().state : AttachState::kAttached;
}

const WrittenEpoch::Writer* ProducerCore::writer() noexcept {
  if (!client_->is_forked()) {
    take_offered();
  }
  return present_ == nullptr ? nullptr : &present_->writer;
}

bool ProducerCore::has_subscribers() noexcept {
  if (client_->is_forked() || closed_) {
    return false;
  }
  take_offered();
  bus::ExclusivePublication* const out =
      present_ == nullptr ? nullptr : present_->descriptors.current();
  bool any = out != nullptr && out->is_connected();
  if (!any && shared_.own_streams.descriptors.any()) {
    shared_.own_streams.descriptors.use([&any](agents::OwnStreams::List& streams) noexcept {
      any = std::any_of(streams.begin(), streams.end(), [](agents::OwnPublication* stream) {
        bus::ExclusivePublication* const own = stream->link.current();
        return own != nullptr && own->is_connected();
      });
    });
  }
  return any;
}

ProducerCounters ProducerCore::counters() const noexcept {
  ProducerCounters counters = present_ != nullptr ? present_->writer.counters() : kept_;
  if (owner_ != nullptr) {
    counters.announces_sent = owner_->announces_sent();
    counters.announces_failed = owner_->announces_failed();
  }
  return counters;
}

}  // namespace tensorpool::inline v0::detail
