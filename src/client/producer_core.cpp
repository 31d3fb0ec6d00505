#include "client/producer_core.hpp"

#include <unistd.h>

#include <algorithm>
#include <string_view>

#include "agents/mapped_epoch.hpp"
#include "core/naming/stream_names.hpp"
#include "os/cache.hpp"
#include "os/syscalls.hpp"

namespace tensorpool::inline v0::detail {
namespace {

[[nodiscard]] Result<std::uint32_t> stream_number_of(const StreamOptions& options) {
  if (options.stream_id != 0) {
    if (!layout::valid_stream_id(options.stream_id)) {
      return fail(Errc::kInvalidArgument, "stream_id", options.stream_id,
                  layout::kStreamIdMax);  // W7
    }
    return options.stream_id;
  }
  if (options.name.empty()) {
    return fail(Errc::kInvalidArgument, "stream_id or name: give one of them");
  }
  return core::naming::stream_number(options.name);
}

[[nodiscard]] bool is_plain_text(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(),
                     [](char byte) { return byte >= 0x20 && byte < 0x7F; });
}

}  // namespace

Result<ProducerCore*> ProducerCore::create(std::shared_ptr<ClientCore> client,
                                           const StreamOptions& options) {
  const Result<std::uint32_t> number = stream_number_of(options);
  if (!number) {
    return fail(number.error());
  }
  if (!is_plain_text(options.name) || !is_plain_text(options.summary)) {
    return fail(Errc::kInvalidArgument, "name or summary: printable US-ASCII only");  // W93
  }
  const os::OwnerOptions owner{.base_dir = options.shm_base_dir,
                               .name_space = options.name_space,
                               .private_files = options.private_files,
                               .require_hugepages = options.require_hugepages,
                               .remove_on_close = options.unlink_on_close,
                               .populate = true};
  const Result<core::region::StreamPlace> place = os::place_of(owner, *number);
  if (!place) {
    return fail(place.error());
  }
  core::Timing timing =
      core::Timing::of(options.announce_period, options.freshness_window, Nanos{});
  timing.liveness_timeout = std::max(timing.liveness_timeout, timing.freshness_window);
  timing.metadata_period = options.metadata_period;
  if (const Status sane = core::check_timing(timing); !sane) {
    return fail(sane.error());
  }
  agents::OwnerAgent::Options agent{
      .timing = timing,
      .cleaner = agents::EpochCleaner({.base_dir = owner.base_dir,
                                       .place = *place,
                                       .freshness_window = timing.freshness_window},
                                      client->options().log)};
  agent.producer_id =
      options.producer_id != 0 ? options.producer_id : static_cast<std::uint32_t>(::getpid());
  agent.name = options.name;
  agent.summary = options.summary;
  agent.descriptor_stream_id = options.descriptor_stream_id;
  Result<bus::Channel> channel = bus::Channel::parse(options.descriptor_channel);
  if (!channel) {
    return fail(channel.error());
  }
  agent.descriptor_channel = std::move(*channel);

  core::region::StreamGeometry geometry;
  geometry.stream_id = *number;
  geometry.nslots = options.nslots;
  geometry.pools.clear();
  for (const PoolOptions& pool : options.pools) {
    geometry.pools.push_back({.pool_id = pool.pool_id, .stride_bytes = pool.stride_bytes});
  }
  agent.cleaner.clean(client->clock().now());  // so that its space counts as free
  Result<os::OwnedStream> stream =
      os::OwnedStream::create(os::system_calls(), owner, geometry, client->clock().now());
  if (!stream) {
    return fail(stream.error());
  }
  agent.cleaner.set_current_epoch(stream->epoch());
  auto* const core = new ProducerCore(std::move(client), std::move(*stream), options);
  core->agent_ = core->client_->add_owner(core->stream_, std::move(agent));
  return core;
}

ProducerCore::ProducerCore(std::shared_ptr<ClientCore> client, os::OwnedStream stream,
                           const StreamOptions& options)
    : client_(std::move(client)),
      stream_(std::move(stream)),
      memory_(memory_of(stream_.regions())),
      writer_(memory_, {.stream_id = stream_.plan().stream_id(),
                        .epoch = stream_.epoch(),
                        .copy_kind =
                            [this] {
                              std::uint64_t footprint = 0;
                              for (const core::ring::PoolMemory& pool : memory_.pools) {
                                footprint += std::uint64_t{memory_.nslots} * pool.stride_bytes;
                              }
                              return core::choose_copy_kind(footprint,
                                                            os::last_level_cache_bytes());
                            }(),
                        .descriptor_timestamps = options.stamp_descriptors}),
      commit_hook_(options.commit_hook),
      stamp_descriptors_(options.stamp_descriptors) {}

void ProducerCore::close() noexcept {
  if (!client_->is_forked() && agent_ != nullptr) {
    client_->remove(std::move(agent_));
    stream_.remove_files();  // W152; open claims keep the memory
  }
}

void ProducerCore::release() noexcept {
  if (--holders_ == 0 && !client_->is_forked()) {
    delete this;  // a forked child leaves everything to its parent
  }
}

PublishStatus ProducerCore::publish(const TensorInfo& info, std::span<const std::byte> payload,
                                    std::optional<std::uint64_t> capture_time_ns) noexcept {
  if (client_->is_forked()) [[unlikely]] {
    return PublishStatus::kForked;
  }
  const PublishStatus status = writer_.publish(info, payload, time_of(capture_time_ns));
  if (status == PublishStatus::kPublished) [[likely]] {
    send_descriptor();
  }
  return status;
}

PublishStatus ProducerCore::claim(std::size_t bytes, FillWith fill,
                                  core::producer::OpenClaim& out) noexcept {
  if (client_->is_forked()) [[unlikely]] {
    return PublishStatus::kForked;
  }
  return writer_.claim(bytes, out, fill);
}

CommitStatus ProducerCore::commit(const core::producer::OpenClaim& claim, const TensorInfo& info,
                                  std::size_t payload_bytes,
                                  std::optional<std::uint64_t> capture_time_ns) noexcept {
  if (client_->is_forked()) [[unlikely]] {
    return CommitStatus::kForked;
  }
  if (agent_ == nullptr) [[unlikely]] {
    return CommitStatus::kStaleClaim;  // W183
  }
  if (commit_hook_.flush != nullptr) {
    commit_hook_.flush(commit_hook_.context, claim.payload);  // W155
  }
  const CommitStatus status = writer_.commit(claim, info, payload_bytes, time_of(capture_time_ns));
  if (status == CommitStatus::kCommitted) [[likely]] {
    send_descriptor();
  }
  return status;
}

void ProducerCore::abort(const core::producer::OpenClaim& claim) noexcept {
  if (!client_->is_forked() && writer_.abort(claim)) {
    ++writer_.counters().claims_aborted;
  }
}

void ProducerCore::drop(const core::producer::OpenClaim& claim) noexcept {
  if (!client_->is_forked() && writer_.abort(claim)) {
    ++writer_.counters().claims_dropped;
  }
}

std::uint64_t ProducerCore::time_of(std::optional<std::uint64_t> capture_time_ns) const noexcept {
  return capture_time_ns ? *capture_time_ns
                         : static_cast<std::uint64_t>(client_->clock().mono().count());  // W194
}

/// W187, W191, W198..W201: never blocks, and each failure has its counter.
void ProducerCore::send_descriptor() noexcept {
  ProducerCounters& counters = writer_.counters();
  bus::ExclusivePublication* const out = agent_->descriptors().current();
  if (out == nullptr) [[unlikely]] {
    ++counters.descriptor_closed;
    return;
  }
  bus::BufferClaim claim;
  bus::OfferStatus status = out->try_claim(sizeof(layout::FrameDescriptorMessage), claim);
  if (status == bus::OfferStatus::kAdminAction) {
    status = out->try_claim(sizeof(layout::FrameDescriptorMessage), claim);  // W200
  }
  if (status == bus::OfferStatus::kOk) [[likely]] {
    auto& message = *reinterpret_cast<layout::FrameDescriptorMessage*>(claim.data());
    writer_.write_descriptor(message);
    if (stamp_descriptors_) {
      message.timestamp_ns = static_cast<std::uint64_t>(client_->clock().mono().count());
    }
    out->commit(claim);
    return;
  }
  switch (status) {
    case bus::OfferStatus::kOk:
      break;
    case bus::OfferStatus::kNotConnected:
      ++counters.descriptor_not_connected;
      break;
    case bus::OfferStatus::kBackPressured:
      ++counters.descriptor_backpressured;
      break;
    case bus::OfferStatus::kAdminAction:
      ++counters.descriptor_admin_action;
      break;
    case bus::OfferStatus::kClosed:
      ++counters.descriptor_closed;
      break;
    case bus::OfferStatus::kError:
      ++counters.descriptor_error;
      break;
  }
}

bool ProducerCore::has_subscribers() noexcept {
  if (client_->is_forked() || agent_ == nullptr) {
    return false;
  }
  bus::ExclusivePublication* const out = agent_->descriptors().current();
  return out != nullptr && out->is_connected();
}

ProducerCounters ProducerCore::counters() const noexcept {
  ProducerCounters counters = writer_.counters();
  if (agent_ != nullptr) {
    counters.announces_sent = agent_->announces_sent();
    counters.announces_failed = agent_->announces_failed();
  }
  return counters;
}

}  // namespace tensorpool::inline v0::detail
