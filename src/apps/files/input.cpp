#include "apps/files/input.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>

#include "apps/files/format.hpp"

namespace tensorpool::inline v0::apps::files {

Result<InputFile> open_input(const std::string& path) {
  InputFile input;
  input.file = os::UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status {};
  if (!input.file || ::fstat(input.file.get(), &status) != 0) {
    return fail(file_os_error(path, "cannot open it", errno));
  }
  if (!S_ISREG(status.st_mode)) {
    return fail(
        file_error(Errc::kInvalidArgument, path, "not a file; for a pipe use standard input (-)"));
  }
  input.bytes = static_cast<std::size_t>(status.st_size);
  return input;
}

Result<FileBytes> FileBytes::map(const InputFile& file, const std::string& name) {
  FileBytes bytes;
  if (file.bytes > 0) {
    void* address =
        ::mmap(nullptr, file.bytes, PROT_READ, MAP_SHARED | MAP_NORESERVE, file.file.get(), 0);
    if (address == MAP_FAILED) {
      return fail(file_os_error(name, "cannot map it", errno));
    }
    bytes.view_ = {static_cast<const std::byte*>(address), file.bytes};
    ::madvise(address, file.bytes, MADV_SEQUENTIAL);  // a hint: refused is as good
  }
  return bytes;
}

FileBytes FileBytes::own(std::vector<std::byte> bytes) noexcept {
  FileBytes result;
  result.owned_ = std::move(bytes);
  result.view_ = result.owned_;
  return result;
}

FileBytes::FileBytes(FileBytes&& other) noexcept
    : view_(std::exchange(other.view_, {})), owned_(std::move(other.owned_)) {}

FileBytes& FileBytes::operator=(FileBytes&& other) noexcept {
  std::swap(view_, other.view_);
  std::swap(owned_, other.owned_);
  return *this;
}

FileBytes::~FileBytes() {
  if (owned_.empty() && !view_.empty()) {
    ::munmap(const_cast<std::byte*>(view_.data()), view_.size());
  }
}

}  // namespace tensorpool::inline v0::apps::files
