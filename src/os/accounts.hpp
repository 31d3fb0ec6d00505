// Users and groups by name, and what this process may give to whom.
//
// Thread contract: free functions, any thread; they may read files and ask services of the system.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "tensorpool/types/error.hpp"

namespace tensorpool::inline v0::os {

/// Of a name, or of a decimal number, which needs no account. `not_found` with the name.
[[nodiscard]] Result<uid_t> user_id(const std::string& name);
[[nodiscard]] Result<gid_t> group_id(const std::string& name);

/// Whether this process can make a file belong to the user, or to the group.
[[nodiscard]] bool may_give_to_user(uid_t user) noexcept;
[[nodiscard]] bool may_give_to_group(gid_t group);

}  // namespace tensorpool::inline v0::os
