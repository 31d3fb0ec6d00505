#include "core/supervisor/supervisor.hpp"

#include <algorithm>
#include <limits>
#include <set>

#include "layout/limits.hpp"

namespace tensorpool::inline v0::core::supervisor {

using registration::Responder;

namespace {

/// After so long without one, another responder is news again.
constexpr Nanos kOtherForgottenAfter = std::chrono::minutes(1);

constexpr std::size_t kNameBytesMax = 256;

[[nodiscard]] std::optional<layout::Mode> forced_mode(const driver::SupervisorSettings& settings) {
  switch (settings.force_mode) {
    case 1:
      return layout::Mode::kStream;
    case 2:
      return layout::Mode::kRateLimited;
    default:
      return std::nullopt;
  }
}

/// Silence and room are the supervisor's: it drops who is stale, and lets nobody in.
[[nodiscard]] Responder::Options responder_options(const Supervisor::Options& options) {
  const driver::SupervisorSettings& settings = options.settings;
  const auto grant = [&settings](const driver::SupervisorSettings::Granted& granted) {
    return Responder::Grant{.allowed = settings.per_consumer_enabled,
                            .channel = granted.channel,
                            .base = granted.base,
                            .count = granted.count};
  };
  Responder::Options wanted;
  wanted.adds_publications = false;  // producers do; every hello is answered (D294)
  wanted.transport_of = options.transport_of;
  wanted.taken = options.taken;
  wanted.grants = {grant(settings.per_consumer_descriptor), grant(settings.per_consumer_control)};
  wanted.capacity = settings.consumer_capacity;
  wanted.stale_timeout = Nanos{std::numeric_limits<Nanos::rep>::max() / 4};
  wanted.policy = {.forced_mode = forced_mode(settings),
                   .allow_shm = !settings.force_no_shm,
                   .fallback_uri = settings.payload_fallback_uri};
  return wanted;
}

[[nodiscard]] std::uint64_t growth(std::uint64_t from, std::uint64_t to) noexcept {
  return to < from ? to : to - from;  // it began anew (W400)
}

}  // namespace

Result<Supervisor> Supervisor::create(Options options, Nanos now) {
  if (options.settings.liveness_check_interval <= Nanos{0}) {
    return fail(Errc::kInvalidArgument, "supervisor.liveness_check_interval_ms", 0, 1);
  }
  Result<Responder> responder = Responder::create(responder_options(options));
  if (!responder) {
    return fail(responder.error());
  }
  return Supervisor(std::move(options), std::move(*responder), now);
}

Supervisor::Supervisor(Options options, Responder responder, Nanos now)
    : settings_(std::move(options.settings)),
      timing_(options.timing),
      responder_(std::move(responder)),
      check_at_(now + settings_.liveness_check_interval) {}

// -- Consumers -----------------------------------------------------------------------------------

void Supervisor::on_hello(const layout::ConsumerHello& hello, Nanos now) {
  if (hello.consumer_id == 0 || !layout::valid_stream_id(hello.stream_id)) {
    return;  // W295
  }
  ++counters_.hellos;
  const Key key{hello.stream_id, hello.consumer_id};
  Consumer* const known = enter_consumer(key, now);
  if (known == nullptr) {
    ++counters_.registry_full;  // D301
    if (!std::exchange(full_told_, true)) {
      tell(Report::Kind::kRegistryFull, key);
    }
    return;
  }
  known->seen.mode = hello.mode;
  known->seen.max_rate_hz = hello.max_rate_hz;
  layout::ConsumerHello said = hello;
  said.expected_layout_version = 0;  // useShm says what settings and hello say (D295)
  responder_.on_hello(said, now);
  while (const auto action = responder_.next_action()) {
    known->seen.may_use_shm = action->config.use_shm;
    actions_.emplace_back(action->config);
  }
}

void Supervisor::on_qos(const layout::QosConsumer& qos, Nanos now) {
  ++counters_.qos_consumers;
  if (qos.consumer_id == 0 || !layout::valid_stream_id(qos.stream_id)) {
    return;
  }
  Consumer* const known = enter_consumer({qos.stream_id, qos.consumer_id}, now);
  if (known == nullptr) {
    return;
  }
  ConsumerSeen& seen = known->seen;
  seen.mode = qos.mode ? qos.mode : seen.mode;  // W401
  seen.epoch = qos.epoch;
  seen.last_seq_seen = qos.last_seq_seen;
  seen.drops_gap = qos.drops_gap;
  seen.drops_late = qos.drops_late;
  if (!std::exchange(known->any_qos, true)) {
    known->checked_gap = qos.drops_gap;  // what it lost before is no news
    known->checked_late = qos.drops_late;
  }
}

/// The consumer, made where there is none; null when there is no room.
Supervisor::Consumer* Supervisor::enter_consumer(Key key, Nanos now) {
  auto known = consumers_.find(key);
  if (known == consumers_.end()) {
    if (consumers_.size() >= settings_.consumer_capacity) {
      return nullptr;
    }
    known = consumers_.emplace(key, Consumer{}).first;
    known->second.seen.stream_id = key.first;
    known->second.seen.consumer_id = key.second;
    tell(Report::Kind::kConsumerCame, key);
  }
  known->second.seen.heard_at = now;
  return &known->second;
}

void Supervisor::on_foreign_config(const layout::ConsumerConfig& config, Nanos now) {
  if (!other_heard_at_ || now - *other_heard_at_ >= kOtherForgottenAfter) {
    tell(Report::Kind::kOtherResponder, {config.stream_id, config.consumer_id});
  }
  other_heard_at_ = now;
}

// -- Producers -----------------------------------------------------------------------------------

void Supervisor::on_qos(const layout::QosProducer& qos, Nanos now) {
  ++counters_.qos_producers;
  if (qos.producer_id == 0 || !layout::valid_stream_id(qos.stream_id)) {
    return;
  }
  const Producer newcomer = candidate(qos.stream_id, qos.producer_id);
  if (Producer* const known = enter_producer({qos.stream_id, qos.producer_id}, newcomer, now)) {
    known->seen.epoch = qos.epoch;
    known->seen.current_seq = qos.current_seq;
  }
}

void Supervisor::on_announce(const layout::ShmPoolAnnounce& announce, Nanos image_joined_at,
                             const base::Now& now) {
  ++counters_.announces_seen;
  if (announce.producer_id == 0 || !layout::valid_stream_id(announce.stream_id)) {
    return;
  }
  const Key key{announce.stream_id, announce.producer_id};
  const auto found = producers_.find(key);
  Producer newcomer = candidate(announce.stream_id, announce.producer_id);
  consumer::AnnounceGate& gate = found != producers_.end() ? found->second.gate : newcomer.gate;
  const auto verdict = gate.judge(
      {.stream_id = announce.stream_id,
       .epoch = announce.epoch,
       .timestamp_ns = announce.announce_timestamp_ns,
       .realtime = announce.announce_clock_domain == layout::ClockDomain::kRealtimeSynced,
       .image_joined_at = image_joined_at},
      now);
  if (verdict != consumer::AnnounceGate::Verdict::kPassed) {
    return;
  }
  if (Producer* const known = enter_producer(key, newcomer, now.mono)) {
    if (known->seen.epoch != announce.epoch) {
      known->seen.epoch = announce.epoch;
      known->seen.current_seq = 0;
    }
  }
}

void Supervisor::on_metadata(const layout::DataSourceAnnounce& source) {
  ++counters_.metadata_seen;
  if (const auto known = producers_.find({source.stream_id, source.producer_id});
      known != producers_.end()) {
    known->second.seen.name = source.name.substr(0, kNameBytesMax);
  }
}

Supervisor::Producer Supervisor::candidate(std::uint32_t stream_id,
                                           std::uint32_t producer_id) const {
  return {.seen = {.stream_id = stream_id, .producer_id = producer_id},
          .gate = consumer::AnnounceGate({.stream_id = stream_id, .timing = timing_})};
}

/// The producer, alive; null when it is not known and there is no room.
Supervisor::Producer* Supervisor::enter_producer(Key key, const Producer& candidate, Nanos now) {
  auto known = producers_.find(key);
  if (known == producers_.end()) {
    if (!make_room_for_producer()) {
      return nullptr;
    }
    known = producers_.emplace(key, candidate).first;
    tell(Report::Kind::kProducerCame, key);
  } else if (std::exchange(known->second.seen.stale, false)) {
    tell(Report::Kind::kProducerBack, key);
  }
  known->second.seen.heard_at = now;
  return &known->second;
}

/// At the cost of the stale one that has been silent for longest.
bool Supervisor::make_room_for_producer() {
  if (producers_.size() < kProducersMax) {
    return true;
  }
  const auto rank = [](const auto& item) {
    return std::pair(!item.second.seen.stale, item.second.seen.heard_at);
  };
  const auto oldest =
      std::min_element(producers_.begin(), producers_.end(),
                       [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
  if (!oldest->second.seen.stale) {
    return false;
  }
  producers_.erase(oldest);
  return true;
}

// -- Checks --------------------------------------------------------------------------------------

void Supervisor::poll(Nanos now) {
  if (now < check_at_) {
    return;
  }
  check_at_ = now + settings_.liveness_check_interval;
  ++counters_.liveness_checks;
  full_told_ = false;
  check_consumers(now);
  check_producers(now);
}

void Supervisor::check_consumers(Nanos now) {
  for (auto item = consumers_.begin(); item != consumers_.end();) {
    const Key key = item->first;
    const Nanos silence = now - item->second.seen.heard_at;
    if (settings_.consumer_stale != Nanos{0} && silence >= settings_.consumer_stale) {
      ++counters_.stale_consumers;  // D290
      responder_.on_lease_ended({.stream_id = key.first, .consumer_id = key.second});
      tell(Report::Kind::kConsumerStale, key, silence);
      item = consumers_.erase(item);
    } else {
      check_losses(item->second);
      ++item;
    }
  }
}

void Supervisor::check_losses(Consumer& of) {
  const std::uint64_t gap = growth(of.checked_gap, of.seen.drops_gap);
  const std::uint64_t late = growth(of.checked_late, of.seen.drops_late);
  of.checked_gap = of.seen.drops_gap;
  of.checked_late = of.seen.drops_late;
  if (gap != 0 || late != 0) {
    actions_.emplace_back(Report{.kind = Report::Kind::kConsumerLoses,
                                 .stream_id = of.seen.stream_id,
                                 .id = of.seen.consumer_id,
                                 .drops_gap = gap,
                                 .drops_late = late});
  }
}

void Supervisor::check_producers(Nanos now) {
  std::set<std::uint32_t> produced;
  for (auto& [key, producer] : producers_) {
    const Nanos silence = now - producer.seen.heard_at;
    if (!producer.seen.stale && settings_.producer_stale != Nanos{0} &&
        silence >= settings_.producer_stale) {
      producer.seen.stale = true;  // D291
      ++counters_.stale_producers;
      tell(Report::Kind::kProducerStale, key, silence);
    }
    if (!producer.seen.stale) {
      produced.insert(key.first);
    }
  }
  std::erase_if(producers_, [&](const auto& item) {
    return item.second.seen.stale && produced.count(item.first.first) != 0;
  });
}

// -- Outputs -------------------------------------------------------------------------------------

void Supervisor::tell(Report::Kind kind, Key key, Nanos silence) {
  actions_.emplace_back(
      Report{.kind = kind, .stream_id = key.first, .id = key.second, .silence = silence});
}

std::optional<Supervisor::Action> Supervisor::next_action() {
  if (drained_ == actions_.size()) {
    actions_.clear();
    drained_ = 0;
    return std::nullopt;
  }
  return actions_[drained_++];
}

std::vector<ProducerSeen> Supervisor::producers() const {
  std::vector<ProducerSeen> all;
  all.reserve(producers_.size());
  for (const auto& [key, producer] : producers_) {
    all.push_back(producer.seen);
  }
  return all;
}

std::vector<ConsumerSeen> Supervisor::consumers() const {
  std::map<Key, std::pair<std::uint32_t, std::uint32_t>> own;
  responder_.for_each([&own](const registration::LiveConsumer& live) {
    own[{live.key.stream_id, live.key.consumer_id}] = {live.descriptor_stream_id,
                                                       live.control_stream_id};
  });
  std::vector<ConsumerSeen> all;
  all.reserve(consumers_.size());
  for (const auto& [key, consumer] : consumers_) {
    all.push_back(consumer.seen);
    if (const auto has = own.find(key); has != own.end()) {
      all.back().descriptor_stream_id = has->second.first;
      all.back().control_stream_id = has->second.second;
    }
  }
  return all;
}

bool Supervisor::check_invariants() const {
  bool tracked = true;
  responder_.for_each([&](const registration::LiveConsumer& live) {
    tracked = tracked && consumers_.count({live.key.stream_id, live.key.consumer_id}) != 0;
  });
  return tracked && consumers_.size() <= settings_.consumer_capacity &&
         producers_.size() <= kProducersMax && responder_.check_invariants();
}

}  // namespace tensorpool::inline v0::core::supervisor
