#include "core/driver/node_ids.hpp"

#include "base/assert.hpp"

namespace tensorpool::inline v0::core::driver {

bool NodeIds::available(std::uint32_t id, std::uint32_t client_id, Nanos now) {
  forget_rested(now);
  if (const Entry* const entry = find(id); entry != nullptr) {
    return available(*entry, client_id, now);
  }
  return resting_.size() < kRestingMax;
}

bool NodeIds::available(const Entry& entry, std::uint32_t client_id, Nanos now) const noexcept {
  if (entry.reserved || entry.state == State::kHeld) {
    return false;
  }
  return entry.state == State::kNever || entry.client_id == client_id ||
         now - entry.released_at >= cooldown_;
}

void NodeIds::reserve(std::uint32_t id) {
  Entry& entry = entry_of(id);
  TP_ASSERT(!entry.reserved && entry.state != State::kHeld);
  entry.reserved = true;
}

void NodeIds::unreserve(std::uint32_t id) {
  Entry& entry = entry_of(id);
  TP_ASSERT(entry.reserved);
  entry.reserved = false;
  if (id > kAssignedMax && entry.state == State::kNever) {
    above_.erase(id);
  }
}

std::optional<std::uint32_t> NodeIds::assign(std::optional<std::uint32_t> reserved,
                                             std::uint32_t client_id, Nanos now) {
  if (reserved) {
    unreserve(*reserved);
  }
  const std::optional<std::uint32_t> id = reserved ? reserved : choose(client_id, now);
  if (id) {
    Entry& entry = entry_of(*id);
    resting_.erase({entry.released_at, *id});
    entry = {.state = State::kHeld, .client_id = client_id};
  }
  return id;
}

void NodeIds::release(std::uint32_t id, Nanos now) {
  Entry& entry = entry_of(id);
  TP_ASSERT(entry.state == State::kHeld);
  entry.state = State::kReleased;
  entry.released_at = now;
  if (id > kAssignedMax) {
    resting_.insert({now, id});
    forget_rested(now);
  }
}

const NodeIds::Entry* NodeIds::find(std::uint32_t id) const noexcept {
  if (id <= kAssignedMax) {
    return &assigned_[id];
  }
  const auto found = above_.find(id);
  return found == above_.end() ? nullptr : &found->second;
}

NodeIds::Entry& NodeIds::entry_of(std::uint32_t id) {
  return id <= kAssignedMax ? assigned_[id] : above_[id];
}

// D98: the id that this client held last, else the lowest never assigned, else the one that has
// rested longest.
std::optional<std::uint32_t> NodeIds::choose(std::uint32_t client_id, Nanos now) const noexcept {
  std::uint32_t own = 0;
  std::uint32_t fresh = 0;
  std::uint32_t rested = 0;
  for (std::uint32_t id = 1; id <= kAssignedMax; ++id) {
    const Entry& entry = assigned_[id];
    if (!available(entry, client_id, now)) {
      continue;
    }
    if (entry.state == State::kNever) {
      fresh = fresh == 0 ? id : fresh;
    } else if (entry.client_id == client_id) {
      own = own == 0 || entry.released_at > assigned_[own].released_at ? id : own;
    } else if (rested == 0 || entry.released_at < assigned_[rested].released_at) {
      rested = id;
    }
  }
  for (const std::uint32_t id : {own, fresh, rested}) {
    if (id != 0) {
      return id;
    }
  }
  return std::nullopt;
}

// D102: above 1023 only during the cooldown.
void NodeIds::forget_rested(Nanos now) {
  while (!resting_.empty() && now - resting_.begin()->first >= cooldown_) {
    const auto found = above_.find(resting_.begin()->second);
    if (found->second.reserved) {  // as if it had never been held
      found->second = {.state = State::kNever, .reserved = true};
    } else {
      above_.erase(found);
    }
    resting_.erase(resting_.begin());
  }
}

}  // namespace tensorpool::inline v0::core::driver
