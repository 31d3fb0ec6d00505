#include "os/text_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/kill_point.hpp"
#include "os/unique_fd.hpp"

namespace tensorpool::inline v0::os {
namespace {

[[nodiscard]] bool write_all(int file, std::string_view text) noexcept {
  while (!text.empty()) {
    const ssize_t done = ::write(file, text.data(), text.size());
    if (done < 0 && errno != EINTR) {
      return false;
    }
    text.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(done, 0)));
  }
  return true;
}

}  // namespace

Result<std::string> read_text_file(const std::string& path, std::size_t bytes_max) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!file) {
    return fail(make_os_error(errno == ENOENT ? Errc::kNotFound : Errc::kOsFailure, path, errno));
  }
  std::string text;
  std::array<char, 65536> buffer;
  for (ssize_t got = 0; (got = ::read(file.get(), buffer.data(), buffer.size())) != 0;) {
    if (got < 0 && errno != EINTR) {
      return fail(make_os_error(Errc::kOsFailure, path, errno));
    }
    text.append(buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (text.size() > bytes_max) {
      return fail(Errc::kLimitReached, path, text.size(), bytes_max);
    }
  }
  return text;
}

Status replace_text_file(const std::string& path, std::string_view text, mode_t mode) {
  const std::string fresh = path + ".new";
  const UniqueFd file(
      ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode));
  TP_KILLPOINT("driver.names.opened");
  const bool written = file && write_all(file.get(), text) && ::fsync(file.get()) == 0;
  TP_KILLPOINT("driver.names.written");
  if (written && ::rename(fresh.c_str(), path.c_str()) == 0) {
    return {};
  }
  const int reason = errno;
  ::unlink(fresh.c_str());
  return fail(make_os_error(reason == ENOSPC ? Errc::kNoSpace : Errc::kOsFailure, path, reason));
}

}  // namespace tensorpool::inline v0::os
