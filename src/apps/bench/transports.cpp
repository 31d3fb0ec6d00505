#include "apps/bench/transports.hpp"

#include <stdlib.h>  // NOLINT(modernize-deprecated-headers): mkdtemp

#include <filesystem>
#include <system_error>

namespace tensorpool::inline v0::apps::bench {
namespace {

/// Everything of one case, removed with it.
class Scratch {
 public:
  Scratch() : made_(::mkdtemp(path_.data()) != nullptr) {}
  ~Scratch() {
    if (made_) {
      std::error_code ignored;
      std::filesystem::remove_all(path_, ignored);
    }
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  std::string path_ = "/dev/shm/tensorpool-bench-XXXXXX";
  bool made_;
};

}  // namespace

Result<Outcome> run(const Case& asked) {
  Case wanted = asked;
  if (wanted.nslots == 0) {
    wanted.nslots = default_nslots(wanted.payload);
  }
  const Scratch scratch;
  if (wanted.variant == "descriptors" || wanted.variant == "direct") {
    return run_tensorpool(wanted, scratch.path(), wanted.variant == "direct");
  }
  if (wanted.variant == "raw-aeron") {
    return run_raw_aeron(wanted, scratch.path());
  }
  if (wanted.variant == "seqlock") {
    return run_seqlock(wanted);
  }
  if (wanted.variant == "memcpy" || wanted.variant == "stream") {
    return run_copy(wanted, wanted.variant == "stream");
  }
  return fail(Errc::kInvalidArgument, "variant " + wanted.variant);
}

}  // namespace tensorpool::inline v0::apps::bench
