// The inside of a Driver: a driver::Host, with what it was configured with.
//
// Thread contract: as Driver.
#pragma once

#include <memory>

#include "core/driver/settings.hpp"
#include "driver/host.hpp"
#include "os/process.hpp"
#include "tensorpool/driver.hpp"

namespace tensorpool::inline v0::detail {

class DriverCore {
 public:
  [[nodiscard]] static Result<std::unique_ptr<DriverCore>> start(const DriverOptions& options);

  [[nodiscard]] driver::Host& host() noexcept { return *host_; }
  [[nodiscard]] const core::driver::Settings& settings() const noexcept { return settings_; }
  [[nodiscard]] bool is_forked() const noexcept { return os::fork_generation() != generation_; }

 private:
  DriverCore(core::driver::Settings settings, std::unique_ptr<driver::Host> host) noexcept
      : settings_(std::move(settings)), host_(std::move(host)) {}

  const std::uint32_t generation_ = os::fork_generation();
  core::driver::Settings settings_;
  std::unique_ptr<driver::Host> host_;
};

[[nodiscard]] bus::DriverPolicy policy_of(MediaDriverPolicy policy) noexcept;

}  // namespace tensorpool::inline v0::detail
