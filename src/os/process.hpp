// What os/ has to know about processes.
#pragma once

#include <cstdint>
#include <string>

#include "os/syscalls.hpp"

namespace tensorpool::inline v0::os {

/// The number of forks between the start of the process and here: 0, and one more in each child.
/// An object that remembers it finds out that it is a copy in a child (design: fork).
/// Async-signal-safe after the first call. Thread contract: any thread.
[[nodiscard]] std::uint32_t fork_generation() noexcept;

/// Whether a process has this id; one that may not be signalled has (D225). No process has the id
/// 0, or one beyond what the system can give. Thread contract: any thread.
[[nodiscard]] bool process_exists(Syscalls& calls, std::uint64_t pid) noexcept;

/// For standalone owners: false only when no process has this id. A pid that cannot be probed
/// counts as alive, the own pid does not (W419). Thread contract: any thread.
[[nodiscard]] bool owner_alive(Syscalls& calls, std::uint64_t pid) noexcept;

/// The name of the effective user, or an empty text when it has none.
/// Thread contract: any thread. Allocates.
[[nodiscard]] std::string effective_user_name();

/// Lets this process have as many open files as it may: mapped regions count, and what a shell
/// allows by default, 1024, is soon used up. Without effect where that is not allowed.
void allow_many_open_files() noexcept;

}  // namespace tensorpool::inline v0::os
