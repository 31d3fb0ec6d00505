#include "client/parking.hpp"

#include <utility>

namespace tensorpool::inline v0::detail {

const std::shared_ptr<os::WakeFile>& Parking::find(std::uint32_t stream_id, std::uint64_t epoch,
                                                   Nanos now) {
  if (epoch == epoch_ && now < look_at_) {
    return file_;
  }
  if (epoch == epoch_ && file_ != nullptr && file_->is_linked(os::system_calls())) {
    look_at_ = now + kRecheck;
    return file_;
  }
  file_.reset();
  epoch_ = epoch;
  Result<os::WakeFile> opened = os::WakeFile::open(
      os::system_calls(), {.directory = directory_, .stream_id = stream_id, .epoch = epoch});
  if (opened) {
    file_ = std::make_shared<os::WakeFile>(std::move(*opened));
  }
  look_at_ = now + (opened ? kRecheck : kRetry);
  return file_;
}

}  // namespace tensorpool::inline v0::detail
