#include "bus/client.hpp"

#include <aeronc.h>

#include <algorithm>
#include <utility>

#include "bus/aeron_error.hpp"
#include "bus/session.hpp"

namespace tensorpool::inline v0::bus {
namespace {

constexpr std::size_t kCounterKeyBytesMax = 112;
constexpr std::size_t kCounterLabelBytesMax = 380;
constexpr Nanos kKeepaliveMax = std::chrono::milliseconds(500);  // Aeron's default

}  // namespace

Result<Client> Client::create(Options options) {
  if (options.aeron_dir.empty()) {
    return fail(Errc::kInvalidArgument, "aeron_dir");
  }
  if (options.driver_timeout < std::chrono::milliseconds(1)) {
    return fail(Errc::kInvalidArgument, "driver_timeout");
  }
  if (options.retry_min <= Nanos{0} || options.retry_max < options.retry_min) {
    return fail(Errc::kInvalidArgument, "retry_min");
  }
  return Client(std::move(options));
}

Client::Client(Options options) noexcept
    : options_(std::move(options)), retry_pause_(options_.retry_min) {}
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;
Client::~Client() = default;

int Client::do_work(Nanos now) noexcept {
  if (state_ != ClientState::kUp) {
    if (now < retry_at_) {
      return 0;
    }
    connect(now);
    return 1;
  }
  const int work = session_->do_work(now);
  if (session_->error().code != Errc{}) {
    last_error_ = session_->error();
  }
  if (session_->is_lost()) {
    session_.reset();
    state_ = ClientState::kLost;
    retry_pause_ = options_.retry_min;
    retry_at_ = now + retry_pause_;
    return 1;
  }
  return work;
}

void Client::connect(Nanos now) noexcept {
  const DriverProbe probe = probe_driver(options_.aeron_dir, options_.driver_timeout);
  if (probe.state != DriverState::kAlive) {
    last_error_ = to_error(probe, options_.aeron_dir);
  } else {
    Result<std::shared_ptr<Session>> session = Session::connect(
        {.aeron_dir = options_.aeron_dir.c_str(),
         .client_name = options_.name.c_str(),
         .driver_timeout = options_.driver_timeout,
         .keepalive_interval = std::min(options_.driver_timeout / 4, kKeepaliveMax)});
    if (session) {
      session_ = std::move(*session);
      state_ = ClientState::kUp;
      ++generation_;
      return;
    }
    last_error_ = session.error();
  }
  retry_at_ = now + retry_pause_;
  retry_pause_ = std::min(retry_pause_ * 2, options_.retry_max);
}

Status Client::check_add(std::int32_t stream_id) const noexcept {
  if (!is_valid_stream_id(stream_id)) {
    return fail(Errc::kInvalidArgument, "stream id", static_cast<std::uint64_t>(stream_id),
                0x7FFF'FFFF);
  }
  if (!is_up()) {
    return fail(Errc::kClosed, options_.aeron_dir);
  }
  return {};
}

tl::unexpected<Error> Client::add_failed() noexcept {
  session_->abandon(last_aeron_error(Errc::kBusFailure));
  return fail(session_->error());
}

Result<Pending<ExclusivePublication>> Client::begin_add_publication(const Channel& channel,
                                                                    std::int32_t stream_id) {
  if (Status allowed = check_add(stream_id); !allowed) {
    return fail(allowed.error());
  }
  std::unique_ptr<ExclusivePublication> made(new ExclusivePublication);
  aeron_async_add_exclusive_publication_t* request = nullptr;
  if (aeron_async_add_exclusive_publication(&request, session_->aeron(), channel.text().c_str(),
                                            stream_id) < 0) {
    return add_failed();
  }
  return Pending<ExclusivePublication>(session_, std::move(made), request);
}

Result<Pending<Subscription>> Client::begin_add_subscription(const Channel& channel,
                                                             std::int32_t stream_id) {
  if (Status allowed = check_add(stream_id); !allowed) {
    return fail(allowed.error());
  }
  std::unique_ptr<Subscription> made(
      new Subscription(stream_id, channel.get("tether") == "false", *session_));
  aeron_async_add_subscription_t* request = nullptr;
  if (aeron_async_add_subscription(&request, session_->aeron(), channel.text().c_str(), stream_id,
                                   &Subscription::on_available, made.get(),
                                   &Subscription::on_unavailable, made.get()) < 0) {
    return add_failed();
  }
  return Pending<Subscription>(session_, std::move(made), request);
}

Result<Pending<Counter>> Client::begin_add_counter(std::int32_t type_id, std::string_view key,
                                                   std::string_view label) {
  if (key.size() > kCounterKeyBytesMax) {
    return fail(Errc::kInvalidArgument, "counter key", key.size(), kCounterKeyBytesMax);
  }
  if (label.size() > kCounterLabelBytesMax) {
    return fail(Errc::kInvalidArgument, "counter label", label.size(), kCounterLabelBytesMax);
  }
  if (!is_up()) {
    return fail(Errc::kClosed, options_.aeron_dir);
  }
  std::unique_ptr<Counter> made(new Counter);
  aeron_async_add_counter_t* request = nullptr;
  if (aeron_async_add_counter(&request, session_->aeron(), type_id,
                              reinterpret_cast<const std::uint8_t*>(key.data()), key.size(),
                              label.data(), label.size()) < 0) {
    return add_failed();
  }
  return Pending<Counter>(session_, std::move(made), request);
}

std::int32_t Client::counter_places() const noexcept {
  return is_up() ? aeron_counters_reader_max_counter_id(aeron_counters_reader(session_->aeron()))
                 : 0;
}

}  // namespace tensorpool::inline v0::bus
