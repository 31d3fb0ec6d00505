// NUMA nodes: which there are, and where pages lie.
//
// Thread contract: free functions, any thread. What the kernel does not tell is absent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tensorpool::inline v0::os {

/// The nodes that have memory, ascending; node 0 alone where the kernel knows no nodes. `root`
/// stands in front of /sys; for tests.
[[nodiscard]] std::vector<std::uint32_t> memory_nodes(const std::string& root = {});

/// Numbers of a list as the kernel writes it: `0-1,3`. Stops at what is no number.
[[nodiscard]] std::vector<std::uint32_t> parse_number_list(const std::string& text);

/// Has the pages of a mapping allocated on one node from now on. -1 and errno on failure.
int bind_to_node(void* address, std::size_t bytes, std::uint32_t node) noexcept;

/// The node of the page at `address`, which is made present. Faults are answered, not raised.
[[nodiscard]] std::optional<std::uint32_t> node_of_page(const void* address) noexcept;

/// The node of the first page of a file, which is a region's superblock.
[[nodiscard]] std::optional<std::uint32_t> node_of_file(const std::string& path);

}  // namespace tensorpool::inline v0::os
