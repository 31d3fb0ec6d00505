#include "os/accounts.hpp"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>
#include <system_error>

namespace tensorpool::inline v0::os {
namespace {

/// The highest number stands for "no change" in system calls.
[[nodiscard]] std::optional<std::uint32_t> number_of(const std::string& text) noexcept {
  std::uint32_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  const bool whole =
      error == std::errc{} && stop == end && number != std::numeric_limits<std::uint32_t>::max();
  return whole ? std::optional(number) : std::nullopt;
}

/// Calls `ask(entry, buffer, found)`, one of the getXXnam_r functions, with room enough.
template <class Entry, class Ask>
[[nodiscard]] std::optional<Entry> find_entry(const Ask& ask) {
  std::vector<char> buffer(1024);
  Entry entry{};
  Entry* found = nullptr;
  while (ask(entry, buffer, found) == ERANGE) {
    buffer.resize(buffer.size() * 2);
  }
  return found == nullptr ? std::nullopt : std::optional(entry);
}

}  // namespace

Result<uid_t> user_id(const std::string& name) {
  if (const auto number = number_of(name)) {
    return *number;
  }
  const auto entry =
      find_entry<passwd>([&](passwd& into, std::vector<char>& buffer, passwd*& found) {
        return ::getpwnam_r(name.c_str(), &into, buffer.data(), buffer.size(), &found);
      });
  return entry ? Result<uid_t>(entry->pw_uid) : fail(Errc::kNotFound, "user " + name);
}

Result<gid_t> group_id(const std::string& name) {
  if (const auto number = number_of(name)) {
    return *number;
  }
  const auto entry = find_entry<group>([&](group& into, std::vector<char>& buffer, group*& found) {
    return ::getgrnam_r(name.c_str(), &into, buffer.data(), buffer.size(), &found);
  });
  return entry ? Result<gid_t>(entry->gr_gid) : fail(Errc::kNotFound, "group " + name);
}

bool may_give_to_user(uid_t user) noexcept {
  return ::geteuid() == 0 || ::geteuid() == user;
}

bool may_give_to_group(gid_t group) {
  if (::geteuid() == 0 || ::getegid() == group) {
    return true;
  }
  std::vector<gid_t> groups(static_cast<std::size_t>(std::max(0, ::getgroups(0, nullptr))));
  const int count = ::getgroups(static_cast<int>(groups.size()), groups.data());
  return std::find(groups.begin(), groups.begin() + std::max(0, count), group) !=
         groups.begin() + std::max(0, count);
}

}  // namespace tensorpool::inline v0::os
