#include "tensorpool/driver.hpp"

#include <utility>

#include "client/driver_configuration.hpp"
#include "client/driver_core.hpp"

namespace tensorpool::inline v0 {
namespace detail {
namespace {

void say(const LogSink& log, LogLevel level, const std::vector<config::Problem>& problems) {
  for (const config::Problem& problem : problems) {
    if (log) {
      log(level, config::to_text(problem));
    }
  }
}

}  // namespace

bus::DriverPolicy policy_of(MediaDriverPolicy policy) noexcept {
  switch (policy) {
    case MediaDriverPolicy::kAuto:
      return bus::DriverPolicy::kAuto;
    case MediaDriverPolicy::kEmbedded:
      return bus::DriverPolicy::kEmbedded;
    case MediaDriverPolicy::kExternal:
      break;
  }
  return bus::DriverPolicy::kExternal;
}

Result<std::unique_ptr<DriverCore>> DriverCore::start(const DriverOptions& options) {
  auto loaded = options.config_file.empty() && !options.config.empty()
                    ? parse_configuration("DriverOptions::config", options.config)
                    : load_configuration(options.config_file);
  if (!loaded) {
    say(options.log, LogLevel::kError, loaded.error().errors);
    return fail(config::to_error(loaded.error().errors.front()));
  }
  say(options.log, LogLevel::kWarning, loaded->warnings);
  if (!options.aeron_dir.empty()) {
    loaded->settings.aeron_dir = options.aeron_dir;
  }
  Result<std::unique_ptr<driver::Host>> host = driver::Host::start(
      {.settings = loaded->settings,
       .media_driver = policy_of(options.media_driver),
       .threading = options.threading == Threading::kInvoked ? driver::Host::Threading::kInvoked
                                                             : driver::Host::Threading::kBackground,
       .admin_socket = options.admin_socket,
       .toml = effective_text(*loaded),
       .log = options.log});
  if (!host) {
    return fail(host.error());
  }
  return std::unique_ptr<DriverCore>(new DriverCore(std::move(loaded->settings), std::move(*host)));
}

}  // namespace detail

Driver::Driver(std::unique_ptr<detail::DriverCore> core) noexcept : core_(std::move(core)) {}
Driver::Driver(Driver&&) noexcept = default;
Driver& Driver::operator=(Driver&& other) noexcept {
  std::swap(core_, other.core_);
  return *this;
}

Driver::~Driver() {
  if (core_ != nullptr && core_->is_forked()) {
    static_cast<void>(core_.release());  // the parent's
  }
}

Result<Driver> Driver::start(DriverOptions options) {
  Result<std::unique_ptr<detail::DriverCore>> core = detail::DriverCore::start(options);
  if (!core) {
    return fail(core.error());
  }
  return Driver(std::move(*core));
}

void Driver::stop() noexcept {
  if (!core_->is_forked()) {
    core_->host().stop();
  }
}
bool Driver::has_ended() const noexcept {
  return core_->is_forked() || core_->host().has_ended();
}
int Driver::do_work() noexcept {
  return core_->is_forked() ? 0 : core_->host().do_work();
}
const std::string& Driver::aeron_dir() const noexcept {
  return core_->host().aeron_dir();
}
bool Driver::embeds_media_driver() const noexcept {
  return core_->host().embeds_media_driver();
}

}  // namespace tensorpool::inline v0
