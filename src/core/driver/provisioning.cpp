#include "core/driver/provisioning.hpp"

namespace tensorpool::inline v0::core::driver {

std::string provision_detail(const Error& error) {
  const bool computed = error.os_errno == 0;  // not what a system call has said
  if (error.code == Errc::kEpochExhausted) {
    return "epoch space exhausted";
  }
  if (error.code == Errc::kNoSpace && computed) {
    return "insufficient space: need " + std::to_string(error.value) + " bytes, have " +
           std::to_string(error.limit);
  }
  if (error.code == Errc::kAlreadyExists && error.field == Field::kStreamId) {
    return "stream locked by another driver";
  }
  std::string detail = describe(error);
  if (error.subject_view().starts_with("mlock")) {
    detail.erase(0, to_string(error.code).size() + 2);  // "os_failure: "
  }
  return detail;
}

std::string_view to_string(KeepReason reason) noexcept {
  switch (reason) {
    case KeepReason::kDisabled:
      return "disabled";
    case KeepReason::kUnmanaged:
      return "unmanaged";
    case KeepReason::kRank:
      return "rank";
    case KeepReason::kCurrent:
      return "current";
    case KeepReason::kReferenced:
      return "referenced";
    case KeepReason::kAge:
      return "age";
    case KeepReason::kWriterAlive:
      return "writer_alive";
    case KeepReason::kForeignFile:
      return "foreign_file";
    case KeepReason::kFailed:
      return "failed";
  }
  return "unknown";
}

}  // namespace tensorpool::inline v0::core::driver
