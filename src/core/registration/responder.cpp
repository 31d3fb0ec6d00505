#include "core/registration/responder.hpp"

#include <algorithm>
#include <utility>

namespace tensorpool::inline v0::core::registration {

using layout::ConsumerConfig;
using layout::ConsumerHello;
using layout::Mode;
using Kind = ResponderAction::Kind;

namespace {

[[nodiscard]] Status check_policy(const Responder::Policy& policy) {
  const std::string& uri = policy.fallback_uri;
  if (!uri.empty() && !uri.starts_with("aeron:") && !uri.starts_with("bridge://")) {
    return fail(Errc::kFallbackUnsupported, uri);  // W314
  }
  return {};
}

}  // namespace

Result<Responder> Responder::create(Options options) {
  if (!options.transport_of) {
    return fail(Errc::kInvalidArgument, "transport_of");
  }
  if (options.capacity == 0) {
    return fail(Errc::kInvalidArgument, "max_consumers", 0, 1);
  }
  if (options.stale_timeout <= Nanos{0}) {
    return fail(Errc::kInvalidArgument, "consumer_stale_ms", 0, 1);
  }
  for (const Grant& grant : options.grants) {
    if (grant.base != 0 && grant.count == 0) {
      return fail(Errc::kInvalidArgument, "ids of single consumers", 0, 1);
    }
  }
  if (const Status sane = check_policy(options.policy); !sane) {
    return fail(sane.error());
  }
  return Responder(std::move(options));
}

Responder::Responder(Options options) : options_(std::move(options)) {
  entries_.reserve(std::min<std::size_t>(options_.capacity, 256));
}

// -- Inputs --------------------------------------------------------------------------------------

void Responder::on_hello(const ConsumerHello& hello, Nanos now) {
  const ConsumerKey key{.stream_id = hello.stream_id, .consumer_id = hello.consumer_id};
  if (!serves(key)) {
    ++counters_.hellos_ignored;  // W295
    return;
  }
  ++counters_.hellos;
  Entry* const known = enter(key, now);
  if (known == nullptr) {
    answer_newcomer_in_vain(hello);
    return;
  }
  take_hello(*known, hello);
  const Requests requests = {OwnStream::of(hello.descriptor_channel, hello.descriptor_stream_id),
                             OwnStream::of(hello.control_channel, hello.control_stream_id)};
  const bool owed = is_owed_answer(*known, requests);
  if (stepped_back_ && (owed || known->configured)) {
    come_forward_when_missed(now);
  }
  if (!responds()) {
    return;  // W294
  }
  known->told |= owed;
  // An answer may be lost, and that of a former life may still be in force (W299), or that of who
  // answered before: the table may have forgotten whom he has told something (W315).
  const bool first = greets_ && !std::exchange(known->greeted, true);
  known->answer_owed |= known->told || first || !options_.adds_publications;
  take_requests(*known, requests);
  answer_when_settled(*known);
}

/// W297, W298.
bool Responder::is_owed_answer(const Entry& by, const Requests& requests) const noexcept {
  const auto concerns = [&](OwnKind which) {
    return !requests[at(which)].is_absent() || by.own[at(which)].state != OwnState::kShared;
  };
  return !by.supports_shm || by.refuses_layout || options_.policy.applies() ||
         concerns(OwnKind::kDescriptor) || concerns(OwnKind::kControl);
}

void Responder::on_qos(const layout::QosConsumer& qos, Nanos now) {
  if (Entry* const known = entry({.stream_id = qos.stream_id, .consumer_id = qos.consumer_id})) {
    known->heard_at = now;  // W320
  }
}

void Responder::on_config(const ConsumerConfig& config, Nanos now) {
  const ConsumerKey key{.stream_id = config.stream_id, .consumer_id = config.consumer_id};
  const Requests streams = {OwnStream::of(config.descriptor_channel, config.descriptor_stream_id),
                            OwnStream::of(config.control_channel, config.control_stream_id)};
  if (!serves(key) || streams[0].is_half() || streams[1].is_half()) {
    return;
  }
  if (options_.responds) {
    step_back();
  }
  Entry* known = entry(key);
  if (known == nullptr) {
    known = enter(key, now);
  }
  if (known == nullptr) {
    ++counters_.declined_full;
    return;
  }
  if (known->configured != config.mode) {
    known->configured = config.mode;  // W296
    ++generation_;
  }
  take_requests(*known, streams);  // W317, D257
}

/// Two that answer would contradict each other once per hello (W293).
void Responder::step_back() {
  unanswered_since_.reset();
  if (!std::exchange(stepped_back_, true)) {
    ++counters_.stepped_back;
    cease_to_answer();
  }
}

/// Whoever answered is gone when he leaves hellos unanswered for as long as makes a consumer stale.
void Responder::come_forward_when_missed(Nanos now) {
  if (!unanswered_since_) {
    unanswered_since_ = now;
  } else if (now - *unanswered_since_ >= options_.stale_timeout) {
    stepped_back_ = false;
    begin_to_answer();
  }
}

/// Somebody else decides from now on, and sends what there is to say (W294).
void Responder::cease_to_answer() noexcept {
  for (Entry& known : entries_) {
    known.answer_owed = false;
    for (Own& own : known.own) {
      if (own.state == OwnState::kShared) {
        own = {};  // that it was refused here says nothing of the other one's configs
      }
    }
  }
}

/// What somebody else has told consumers ends with that, and they hear so.
void Responder::begin_to_answer() noexcept {
  owes_answers_ = true;
  greets_ = true;
  for (Entry& known : entries_) {
    known.answer_owed = known.configured.has_value();
    known.told |= known.answer_owed;
    known.greeted = false;
    known.configured.reset();
  }
  ++generation_;
}

void Responder::on_added(ConsumerKey consumer, OwnKind which, bool added) {
  Entry* const known = entry(consumer);
  if (known == nullptr || known->own[at(which)].state != OwnState::kAdding) {
    return;
  }
  Own& own = known->own[at(which)];
  if (added) {
    own.state = OwnState::kOpen;
    ++counters_.assigned;
    ++generation_;
  } else {
    ++counters_.declined_not_added;  // W308
    // The same request has the same answer (W297). Who follows tries again when he is told again:
    // the consumer is listening there (W317).
    own = responds() ? Own{.request = std::move(own.request)} : Own{};
  }
  answer_when_settled(*known);
}

void Responder::on_config_unsent(ConsumerKey consumer) {
  if (Entry* const known = entry(consumer)) {
    known->answer_owed = true;
    owes_answers_ = true;
  }
}

void Responder::on_lease_ended(ConsumerKey consumer) {
  if (Entry* const known = entry(consumer)) {
    forget(*known);
  }
}

void Responder::set_responds(bool responds) noexcept {
  if (options_.responds == responds) {
    return;  // one that has stepped back of itself comes forward of itself
  }
  options_.responds = responds;
  stepped_back_ = false;
  unanswered_since_.reset();
  responds ? begin_to_answer() : cease_to_answer();
}

Status Responder::set_policy(Policy policy) {
  if (Status sane = check_policy(policy); !sane) {
    return sane;
  }
  options_.policy = std::move(policy);
  ++generation_;
  for (Entry& known : entries_) {
    known.answer_owed = responds();
    known.told |= known.answer_owed;
  }
  owes_answers_ = responds();
  return {};
}

bool Responder::poll(Nanos now) {
  if (owes_answers_) {
    for (Entry& known : entries_) {
      if (known.answer_owed) {
        answer_when_settled(known);
        if (!known.answer_owed) {
          return true;
        }
      }
    }
    owes_answers_ = false;
  }
  if (now < look_at_) {
    return false;
  }
  look_at_ = Nanos::max();
  for (Entry& known : entries_) {
    if (now - known.heard_at >= options_.stale_timeout) {
      ++counters_.expired;
      forget(known);  // W319, W322
      look_at_ = now;
      return true;
    }
    look_at_ = std::min(look_at_, known.heard_at + options_.stale_timeout);
  }
  return false;
}

std::optional<ResponderAction> Responder::next_action() {
  if (drained_ == actions_.size()) {
    actions_.clear();
    drained_ = 0;
    return std::nullopt;
  }
  return actions_[drained_++];
}

// -- The table -----------------------------------------------------------------------------------

bool Responder::serves(ConsumerKey key) const noexcept {
  return key.consumer_id != 0 && key.stream_id != 0 &&
         (options_.stream_id == 0 || key.stream_id == options_.stream_id);
}

Responder::Entry* Responder::entry(ConsumerKey key) {
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [key](const Entry& one) { return one.key == key; });
  return found == entries_.end() ? nullptr : &*found;
}

/// The entry of `key`, made where there is none; null when the table is full.
Responder::Entry* Responder::enter(ConsumerKey key, Nanos now) {
  Entry* known = entry(key);
  if (known == nullptr) {
    if (entries_.size() == options_.capacity) {
      return nullptr;
    }
    known = &entries_.emplace_back();
    known->key = key;
    known->said.key = key;
    ++generation_;
  }
  known->heard_at = now;
  look_at_ = std::min(look_at_, now + options_.stale_timeout);
  return known;
}

void Responder::take_hello(Entry& to, const ConsumerHello& hello) {
  const LiveConsumer before = live(to);
  const bool wants = hello.supports_progress;  // W290
  to.said.mode = hello.mode;
  to.said.max_rate_hz = hello.max_rate_hz;
  to.said.supports_progress = wants;
  to.said.progress_interval_us = wants ? hello.progress_interval_us : std::nullopt;
  to.said.progress_bytes_delta = wants ? hello.progress_bytes_delta : std::nullopt;
  to.said.progress_major_delta_units = wants ? hello.progress_major_delta_units : std::nullopt;
  to.supports_shm = hello.supports_shm;
  to.refuses_layout =
      hello.expected_layout_version != 0 && hello.expected_layout_version != layout::kLayoutVersion;
  if (!(live(to) == before)) {
    ++generation_;
  }
}

void Responder::forget(Entry& entry) {
  give_up(entry, OwnKind::kDescriptor);
  give_up(entry, OwnKind::kControl);
  if (&entry != &entries_.back()) {
    entry = std::move(entries_.back());
  }
  entries_.pop_back();
  ++generation_;
}

LiveConsumer Responder::live(const Entry& of) const {
  LiveConsumer seen = of.said;
  seen.mode = of.configured ? *of.configured : options_.policy.forced_mode.value_or(of.said.mode);
  const auto open_id = [&of](OwnKind which) {
    const Own& own = of.own[at(which)];
    return own.state == OwnState::kOpen ? own.stream_id : 0;
  };
  seen.descriptor_stream_id = open_id(OwnKind::kDescriptor);
  seen.control_stream_id = open_id(OwnKind::kControl);
  return seen;
}

std::optional<LiveConsumer> Responder::find(ConsumerKey consumer) const {
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [consumer](const Entry& one) { return one.key == consumer; });
  return found == entries_.end() ? std::nullopt : std::optional(live(*found));
}

// -- Answers -------------------------------------------------------------------------------------

void Responder::answer_when_settled(Entry& of) {
  const bool settled = std::none_of(of.own.begin(), of.own.end(),
                                    [](const Own& own) { return own.state == OwnState::kAdding; });
  if (of.answer_owed && settled) {
    of.answer_owed = false;
    push({.kind = Kind::kSendConfig, .consumer = of.key, .config = config_for(of)});
  }
}

/// There is no room in the table: whoever asks for something hears that there is nothing (W307).
void Responder::answer_newcomer_in_vain(const ConsumerHello& hello) {
  if (!responds()) {
    return;
  }
  Entry passing;
  passing.key = {.stream_id = hello.stream_id, .consumer_id = hello.consumer_id};
  take_hello(passing, hello);
  const auto asks = [](layout::Text channel, std::uint32_t stream_id) {
    return !OwnStream::of(channel, stream_id).is_absent();
  };
  const int requests = (asks(hello.descriptor_channel, hello.descriptor_stream_id) ? 1 : 0) +
                       (asks(hello.control_channel, hello.control_stream_id) ? 1 : 0);
  counters_.declined_full += static_cast<std::uint64_t>(requests);
  if (requests != 0 || !passing.supports_shm || passing.refuses_layout ||
      options_.policy.applies() || greets_ || !options_.adds_publications) {
    push({.kind = Kind::kSendConfig, .consumer = passing.key, .config = config_for(passing)});
  }
}

ConsumerConfig Responder::config_for(const Entry& of) const {
  ConsumerConfig config;
  config.stream_id = of.key.stream_id;
  config.consumer_id = of.key.consumer_id;
  config.mode = options_.policy.forced_mode.value_or(of.said.mode);                     // W312
  config.use_shm = of.supports_shm && options_.policy.allow_shm && !of.refuses_layout;  // W313
  config.payload_fallback_uri = options_.policy.fallback_uri;
  const Own& descriptor = of.own[at(OwnKind::kDescriptor)];
  if (descriptor.state == OwnState::kOpen) {
    config.descriptor_stream_id = descriptor.stream_id;
    config.descriptor_channel = descriptor.channel;
  }
  const Own& control = of.own[at(OwnKind::kControl)];
  if (control.state == OwnState::kOpen) {
    config.control_stream_id = control.stream_id;
    config.control_channel = control.channel;
  }
  return config;
}

void Responder::push(const ResponderAction& action) {
  actions_.push_back(action);
}

bool Responder::check_invariants() const {
  for (const Entry& known : entries_) {
    for (const Own& own : known.own) {
      const bool open = own.state != OwnState::kShared;
      if (open != (own.stream_id != 0) || (open && !own.request.is_complete()) ||
          (open && is_taken(own, own.transport, own.stream_id))) {
        return false;
      }
    }
  }
  return entries_.size() <= options_.capacity;
}

}  // namespace tensorpool::inline v0::core::registration
