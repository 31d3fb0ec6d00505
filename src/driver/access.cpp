#include "driver/access.hpp"

#include <unistd.h>

#include <algorithm>
#include <string>
#include <utility>

#include "base/reason.hpp"
#include "core/driver/settings_text.hpp"
#include "os/accounts.hpp"

namespace tensorpool::inline v0::driver {
namespace {

using core::driver::stream_key;

[[nodiscard]] Error no_account(const std::string& key, const Error& error) {
  return base::make_reason(Errc::kInvalidArgument, key,
                           std::string(error.subject_view()) + " does not exist here");
}

[[nodiscard]] Result<std::optional<uid_t>> owner_of(const std::string& key,
                                                    const std::string& name) {
  if (name.empty()) {
    return std::optional<uid_t>();
  }
  const Result<uid_t> user = os::user_id(name);
  if (!user) {
    return fail(no_account(key, user.error()));
  }
  if (!os::may_give_to_user(*user)) {
    return fail(base::make_reason(Errc::kInvalidArgument, key,
                                  name + ": only root gives files away", *user, ::geteuid()));
  }
  return std::optional(*user);
}

[[nodiscard]] Result<std::optional<gid_t>> group_of(const std::string& key,
                                                    const std::string& name) {
  if (name.empty()) {
    return std::optional<gid_t>();
  }
  const Result<gid_t> group = os::group_id(name);
  if (!group) {
    return fail(no_account(key, group.error()));
  }
  if (!os::may_give_to_group(*group)) {
    return fail(base::make_reason(Errc::kInvalidArgument, key,
                                  name + ": the driver's user is not in it", *group, ::getegid()));
  }
  return std::optional(*group);
}

[[nodiscard]] Result<Parties> parties_of(const std::string& key,
                                         const std::vector<std::string>& names) {
  Parties parties;
  for (const std::string& name : names) {
    const bool is_group = name.starts_with('@');
    const auto id = is_group ? os::group_id(name.substr(1)) : os::user_id(name);
    if (!id) {
      return fail(no_account(key, id.error()));
    }
    (is_group ? parties.groups : parties.users).push_back(*id);
  }
  return parties;
}

[[nodiscard]] Status add_stream(Access& access, const core::driver::StaticStream& stream,
                                std::uint32_t mode) {
  const auto owner = owner_of(stream_key(stream.name, "owner"), stream.owner);
  const auto group = group_of(stream_key(stream.name, "group"), stream.group);
  auto producers = parties_of(stream_key(stream.name, "producers"), stream.producers);
  auto consumers = parties_of(stream_key(stream.name, "consumers"), stream.consumers);
  if (!owner || !group) {
    return fail(owner ? group.error() : owner.error());
  }
  if (!producers || !consumers) {
    return fail(producers ? consumers.error() : producers.error());
  }
  if (*owner || *group || stream.mode) {
    access.files.streams[stream.stream_id] = {.mode = stream.mode.value_or(mode),
                                              .owner = *owner,
                                              .group = *group ? *group : access.files.group};
  }
  if (!stream.producers.empty() || !stream.consumers.empty()) {
    access.attaching[stream.stream_id] = {.producers = *std::move(producers),
                                          .consumers = *std::move(consumers)};
  }
  return {};
}

}  // namespace

bool Parties::admits(const os::PeerCredentials& peer) const {
  const auto holds = [](const auto& list, std::uint32_t id) {
    return std::find(list.begin(), list.end(), id) != list.end();
  };
  return is_everybody() || holds(users, peer.uid) || holds(groups, peer.gid) ||
         std::any_of(peer.groups.begin(), peer.groups.end(),
                     [&](std::uint32_t group) { return holds(groups, group); });
}

bool Access::may_attach(const os::PeerCredentials& peer, std::uint32_t stream_id,
                        layout::Role role) const {
  const auto found = attaching.find(stream_id);
  if (found == attaching.end() || may_administer(peer)) {
    return true;
  }
  return found->second.in(role).admits(peer);
}

bool Access::is_closed(std::uint32_t stream_id, layout::Role role) const {
  const auto found = attaching.find(stream_id);
  return found != attaching.end() && !found->second.in(role).is_everybody();
}

Result<Access> Access::resolve(const core::driver::Settings& settings) {
  const auto group = group_of("driver.group", settings.group);
  if (!group) {
    return fail(group.error());
  }
  Access access;
  access.files.group = *group;
  for (const core::driver::StaticStream& stream : settings.streams) {
    if (const Status added = add_stream(access, stream, settings.shm.permissions_mode); !added) {
      return fail(added.error());
    }
  }
  return access;
}

bool may_administer(const os::PeerCredentials& peer) noexcept {
  return peer.uid == 0 || peer.uid == ::geteuid();
}

}  // namespace tensorpool::inline v0::driver
