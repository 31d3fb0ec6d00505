// Which streams of their own consumers get: asked for, placed, moved, given up. Spec: §1.15.2;
// 2-driver.md §2.15.
#include <algorithm>
#include <utility>

#include "core/registration/responder.hpp"

namespace tensorpool::inline v0::core::registration {

using Kind = ResponderAction::Kind;

namespace {

constexpr std::uint32_t kAeronStreamIdMax = 0x7FFF'FFFF;  // W305

}  // namespace

/// What was asked for before, and what became of that, stays as it is (W297, W310). What has
/// changed is given up before any of it is placed: one may want what the other had.
void Responder::take_requests(Entry& of, const Requests& requests) {
  std::array<bool, 2> changed = {};
  for (const OwnKind which : {OwnKind::kDescriptor, OwnKind::kControl}) {
    Own& own = of.own[at(which)];
    changed[at(which)] = own.request != requests[at(which)];
    if (changed[at(which)]) {
      give_up(of, which);  // W311
      own.request = requests[at(which)];
    }
  }
  for (const OwnKind which : {OwnKind::kDescriptor, OwnKind::kControl}) {
    if (changed[at(which)] && !of.own[at(which)].request.is_absent()) {
      assign(of, which);
    }
  }
}

/// Precondition: a stream is requested, and there is none.
void Responder::assign(Entry& of, OwnKind which) {
  Own& own = of.own[at(which)];
  if (!place(of.key, which, own)) {
    if (!responds()) {
      own = {};  // tried again when he who answers repeats it: the consumer listens there (W317)
    }
    return;
  }
  if (options_.adds_publications) {
    own.state = OwnState::kAdding;
    push({.kind = Kind::kAddPublication,
          .consumer = of.key,
          .which = which,
          .aeron_stream_id = own.stream_id,
          .channel = own.channel});
  } else {
    own.state = OwnState::kOpen;
    ++counters_.assigned;
    ++generation_;
  }
}

/// Finds channel and id for a request, or counts why there is none (W300..W306, D298, D299).
bool Responder::place(ConsumerKey key, OwnKind which, Own& own) {
  const Grant& grant = options_.grants[at(which)];
  if (!grant.allowed) {
    ++counters_.declined_off;
    return false;
  }
  if (own.request.is_half()) {
    ++counters_.declined_half;
    return false;
  }
  Result<std::string> transport = transport_of(grant, own);
  if (!transport) {
    ++counters_.declined_channel;
    return false;
  }
  const std::uint32_t id = choose_id(key, which, own);
  if (id == 0 || id > kAeronStreamIdMax) {
    ++counters_.declined_id;
    return false;
  }
  if (!responds()) {
    take_from_others(own, *transport, id);
  }
  if (is_taken(own, *transport, id) || (responds() && is_customary(*transport, id))) {
    ++counters_.declined_taken;
    return false;
  }
  own.stream_id = id;
  own.channel = grant.channel.empty() ? own.request.channel : grant.channel;
  own.transport = std::move(*transport);
  return true;
}

/// Of the channel to be used; an error where that, or the one that was asked for, is not allowed.
Result<std::string> Responder::transport_of(const Grant& grant, const Own& own) const {
  Result<std::string> requested = options_.transport_of(own.request.channel);
  return requested && !grant.channel.empty() ? options_.transport_of(grant.channel) : requested;
}

/// 0: there is none (W303, D250, D298).
std::uint32_t Responder::choose_id(ConsumerKey key, OwnKind which, const Own& own) {
  if (options_.handed_out) {
    return next_free_id(which, own);
  }
  const Grant& grant = options_.grants[at(which)];
  return grant.base == 0 ? own.request.stream_id : grant.base + key.consumer_id % grant.count;
}

/// The id that was asked for, where it is free; else the next one in round-robin order (D250).
std::uint32_t Responder::next_free_id(OwnKind which, const Own& own) {
  const std::uint32_t wanted = own.request.stream_id;
  const std::vector<IdRange>& ranges = which == OwnKind::kDescriptor
                                           ? options_.handed_out->descriptors
                                           : options_.handed_out->controls;
  const auto is_free = [&](std::uint32_t id) {
    return std::none_of(options_.taken.begin(), options_.taken.end(),
                        [&](const Taken& one) { return one.covers(id); }) &&
           std::none_of(entries_.begin(), entries_.end(), [&](const Entry& other) {
             return std::any_of(other.own.begin(), other.own.end(), [&](const Own& held) {
               return &held != &own && held.stream_id == id;
             });
           });
  };
  std::uint32_t lowest = 0;
  std::uint32_t following = 0;
  for (const IdRange& range : ranges) {
    if (wanted >= range.first && wanted <= range.last && is_free(wanted)) {
      return wanted;
    }
    // Never more than one id per held or taken one is looked at in vain.
    for (std::uint32_t id = range.first; lowest == 0 && id <= range.last; ++id) {
      lowest = is_free(id) ? id : 0;
    }
    for (std::uint32_t id = std::max(range.first, next_id_[at(which)]);
         following == 0 && id <= range.last; ++id) {
      following = is_free(id) ? id : 0;
    }
  }
  const std::uint32_t chosen = following != 0 ? following : lowest;
  next_id_[at(which)] = chosen + 1;
  return chosen;
}

/// Whether streams of others are usually found at `id` on `on` (W306).
bool Responder::is_customary(const std::string& on, std::uint32_t id) const {
  return std::any_of(options_.taken.begin(), options_.taken.end(), [&](const Taken& one) {
    return one.by_custom && one.covers(id) && one.transport == on;
  });
}

/// Whether the stream `id` on `on` belongs to everybody, or to somebody else than `by` (W306).
bool Responder::is_taken(const Own& by, const std::string& on, std::uint32_t id) const {
  return std::any_of(options_.taken.begin(), options_.taken.end(),
                     [&](const Taken& one) {
                       return !one.by_custom && one.covers(id) && one.transport == on;
                     }) ||
         std::any_of(entries_.begin(), entries_.end(), [&](const Entry& other) {
           return std::any_of(other.own.begin(), other.own.end(), [&](const Own& held) {
             return &held != &by && held.stream_id == id && held.transport == on;
           });
         });
}

/// A responder that begins anew may give the stream of one consumer to another one, and says so to
/// the one after the other. Who follows obeys the newest config (W317); the other consumer's comes.
void Responder::take_from_others(const Own& by, const std::string& on, std::uint32_t id) {
  for (Entry& other : entries_) {
    if (std::any_of(other.own.begin(), other.own.end(),
                    [&](const Own& own) { return &own == &by; })) {
      continue;
    }
    for (const OwnKind which : {OwnKind::kDescriptor, OwnKind::kControl}) {
      const Own& held = other.own[at(which)];
      if (held.stream_id == id && held.transport == on) {
        give_up(other, which);
      }
    }
  }
}

void Responder::give_up(Entry& of, OwnKind which) {
  Own& own = of.own[at(which)];
  if (own.state != OwnState::kShared) {
    if (options_.adds_publications) {
      push({.kind = Kind::kClosePublication, .consumer = of.key, .which = which});
    }
    ++generation_;
  }
  own = {};
}

}  // namespace tensorpool::inline v0::core::registration
