#include "os/numa.hpp"

#include <fcntl.h>
#include <linux/mempolicy.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <system_error>

#include "os/text_file.hpp"
#include "os/unique_fd.hpp"

namespace tensorpool::inline v0::os {
namespace {

constexpr std::size_t kNodesMax = 1024;  // of the kernel
constexpr std::size_t kMaskBits = 8 * sizeof(unsigned long);
constexpr std::size_t kListBytesMax = 4096;

}  // namespace

std::vector<std::uint32_t> parse_number_list(const std::string& text) {
  std::vector<std::uint32_t> numbers;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at < end) {
    std::uint32_t first = 0;
    auto [stop, error] = std::from_chars(at, end, first);
    std::uint32_t last = first;
    if (error == std::errc{} && stop < end && *stop == '-') {
      const auto second = std::from_chars(stop + 1, end, last);
      stop = second.ptr;
      error = second.ec;
    }
    if (error != std::errc{} || last < first || last >= kNodesMax) {
      break;
    }
    for (std::uint32_t number = first; number <= last; ++number) {
      numbers.push_back(number);
    }
    at = stop < end && *stop == ',' ? stop + 1 : end;
  }
  return numbers;
}

std::vector<std::uint32_t> memory_nodes(const std::string& root) {
  const auto text = read_text_file(root + "/sys/devices/system/node/has_memory", kListBytesMax);
  std::vector<std::uint32_t> nodes = parse_number_list(text.value_or(std::string()));
  return nodes.empty() ? std::vector<std::uint32_t>{0} : nodes;
}

int bind_to_node(void* address, std::size_t bytes, std::uint32_t node) noexcept {
  if (node >= kNodesMax) {
    errno = EINVAL;
    return -1;
  }
  std::array<unsigned long, kNodesMax / kMaskBits> mask{};
  mask[node / kMaskBits] = 1UL << (node % kMaskBits);
  return static_cast<int>(
      ::syscall(SYS_mbind, address, bytes, MPOL_BIND, mask.data(), kNodesMax + 1, 0));
}

std::optional<std::uint32_t> node_of_page(const void* address) noexcept {
  int node = -1;
  const bool told =
      ::syscall(SYS_get_mempolicy, &node, nullptr, 0, address, MPOL_F_NODE | MPOL_F_ADDR) == 0;
  return told && node >= 0 ? std::optional(static_cast<std::uint32_t>(node)) : std::nullopt;
}

std::optional<std::uint32_t> node_of_file(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat found {};
  if (!fd || ::fstat(fd.get(), &found) != 0 || !S_ISREG(found.st_mode) || found.st_size == 0) {
    return std::nullopt;
  }
  const auto bytes = static_cast<std::size_t>(found.st_blksize);  // a hugepage on hugetlbfs
  void* const page = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd.get(), 0);
  if (page == MAP_FAILED) {
    return std::nullopt;
  }
  const auto node = node_of_page(page);
  ::munmap(page, bytes);
  return node;
}

}  // namespace tensorpool::inline v0::os
