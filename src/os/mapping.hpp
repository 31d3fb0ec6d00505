// A shared mapping of a file with one owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "os/syscalls.hpp"
#include "tensorpool/types/error.hpp"

namespace tensorpool::inline v0::os {

enum class Access : std::uint8_t { kReadOnly, kReadWrite };

/// What file_page_bytes says of files that are not on hugetlbfs: their lengths are not rounded.
inline constexpr std::uint64_t kOrdinaryPages = 1;

/// The unit in which lengths on the file system of `fd` are rounded: its hugepage size on
/// hugetlbfs, else kOrdinaryPages (W135, W145). `hugepages_required` when they are demanded and
/// absent (W128); `path` is for the message.
[[nodiscard]] Result<std::uint64_t> file_page_bytes(Syscalls& calls, int fd, std::string_view path,
                                                    bool require_hugepages);

[[nodiscard]] constexpr std::uint64_t round_up(std::uint64_t bytes, std::uint64_t unit) noexcept {
  return (bytes + unit - 1) / unit * unit;
}

/// Move-only. Thread contract: a plain object; the memory itself is shared.
class Mapping {
 public:
  struct Options {
    std::uint64_t bytes = 0;       ///< what is needed
    std::uint64_t page_bytes = 1;  ///< hugepage size on hugetlbfs: lengths are rounded up (W135)
    Access access = Access::kReadOnly;
    bool populate = false;  ///< MAP_POPULATE: no page fault later
  };
  /// `limit_reached` when address space, mappings or hugepages have run out. A read-write mapping
  /// is not inherited by children: a forked producer cannot write.
  [[nodiscard]] static Result<Mapping> create(Syscalls& calls, int fd, const Options& options);

  /// Keeps a part of it in memory until it is unmapped. `os_failure` with the bytes of the whole
  /// and the limit of the process.
  [[nodiscard]] Status lock(Syscalls& calls, std::uint64_t offset, std::uint64_t bytes) const;

  Mapping() = default;
  Mapping(Mapping&& other) noexcept { swap(other); }
  Mapping& operator=(Mapping&& other) noexcept {
    Mapping(std::move(other)).swap(*this);
    return *this;
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping();

  [[nodiscard]] std::byte* data() const noexcept { return data_; }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }  ///< as mapped, rounded
  [[nodiscard]] Access access() const noexcept { return access_; }
  void swap(Mapping& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    std::swap(generation_, other.generation_);
    std::swap(access_, other.access_);
  }

 private:
  std::byte* data_ = nullptr;
  std::uint64_t bytes_ = 0;
  std::uint32_t generation_ = 0;
  Access access_ = Access::kReadOnly;
};

}  // namespace tensorpool::inline v0::os
