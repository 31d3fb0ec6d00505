#include "fleet.hpp"

#include <charconv>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "agents/attach_group.hpp"
#include "agents/histogram.hpp"
#include "agents/idle.hpp"
#include "bus/client.hpp"
#include "os/clock.hpp"
#include "os/open_region.hpp"
#include "os/syscalls.hpp"

namespace tensorpool::bench {
namespace {

using core::attach::AttachReport;

struct Fleet;

struct Member {
  Member(Fleet& fleet, const FleetOptions::Lease& wanted);

  std::optional<os::MappedStream> regions;
  layout::Role role;
  Nanos begun{};
  std::optional<Nanos> answered;  ///< the driver has
  std::optional<Nanos> done;      ///< attached and mapped, or detached
  agents::AttachAgent agent;
};

/// What comes to all of them, and how evenly announces do.
class Watch final : public agents::ControlListener {
 public:
  Watch() : deltas(std::move(*agents::Histogram::create())) {}
  void on_announce(const layout::ShmPoolAnnounce& announce, Nanos, const base::Now& now) override {
    const auto [last, first] = last_.try_emplace(announce.stream_id, now.mono);
    if (!first) {
      deltas.record(now.mono - std::exchange(last->second, now.mono));
    }
  }
  void reset() {
    deltas.reset();
    last_.clear();
  }

  agents::Histogram deltas;

 private:
  std::map<std::uint32_t, Nanos> last_;
};

struct Fleet {
  explicit Fleet(const FleetOptions& chosen)
      : options(chosen),
        policy(std::move(*os::RegionPolicy::create(os::system_calls(),
                                                   {.allowed_base_dirs = {chosen.base_dir}}))),
        connection(std::move(*bus::Client::create({.aeron_dir = chosen.aeron_dir}))),
        control(std::move(*agents::ControlBus::create(
            connection, {.control_stream_id = 1000, .announce_stream_id = 1001}))),
        group(*control) {
    for (const FleetOptions::Lease& wanted : options.leases) {
      members.push_back(std::make_unique<Member>(*this, wanted));
    }
  }

  int do_work() {
    const base::Now now = clock.now();
    return connection.do_work(now.mono) + control->do_work(now, [&](auto&& give) {
      give(group);
      give(watch);
    }) + group.do_work(now.mono);
  }

  const FleetOptions& options;
  os::SystemClock clock;
  os::RegionPolicy policy;
  bus::Client connection;
  std::unique_ptr<agents::ControlBus> control;
  agents::AttachGroup group;
  Watch watch;
  std::uint64_t lost = 0;
  std::vector<std::unique_ptr<Member>> members;
};

Member::Member(Fleet& fleet, const FleetOptions::Lease& wanted)
    : role(wanted.role),
      agent(fleet.group, {.role = wanted.role, .stream_id = wanted.stream_id},
            {.map = [this, &fleet](const core::region::MappingPlan& plan, Nanos) -> Status {
               answered = fleet.clock.mono();
               if (!fleet.options.map) {
                 return {};
               }
               auto opened =
                   os::open_stream(os::system_calls(), fleet.policy, plan,
                                   role == layout::Role::kProducer ? os::Access::kReadWrite
                                                                   : os::Access::kReadOnly);
               if (!opened) {
                 return fail(opened.error());
               }
               regions.emplace(std::move(*opened));
               return {};
             },
             .unmap = [this](UnmapReason, Nanos) { regions.reset(); },
             .report =
                 [this, &fleet](const AttachReport& report, std::string_view) {
                   const bool over = report.kind == AttachReport::Kind::kAttached ||
                                     report.kind == AttachReport::Kind::kDetached;
                   done = over ? std::optional(fleet.clock.mono()) : done;
                   fleet.lost += over ? 0 : 1;
                 }}) {}

enum class Errand : std::uint8_t { kAttach, kDetach };

/// Sends members on an errand, `at_once` of them at a time; `times` gets what each of them took.
class Sortie {
 public:
  Sortie(Fleet& fleet, Errand errand, std::size_t at_once, std::size_t count)
      : fleet_(fleet), errand_(errand), at_once_(at_once), count_(count) {}

  /// True when all have come back.
  bool advance() {
    std::erase_if(out_, [&](Member* member) {
      if (!member->done) {
        return false;
      }
      times_.push_back((*member->done - member->begun).count());
      answers_.push_back((member->answered.value_or(*member->done) - member->begun).count());
      return true;
    });
    while (out_.size() < at_once_ && next_ < count_) {
      Member& member = *fleet_.members[next_++];
      member.done.reset();
      member.answered.reset();
      member.begun = fleet_.clock.mono();
      out_.push_back(&member);
      errand_ == Errand::kAttach ? member.agent.want_attach(member.begun)
                                 : member.agent.close(member.begun);
    }
    return out_.empty();
  }
  [[nodiscard]] Json answer() const { return {{"times_ns", times_}, {"answers_ns", answers_}}; }

 private:
  Fleet& fleet_;
  Errand errand_;
  std::size_t at_once_;
  std::size_t count_;
  std::size_t next_ = 0;
  std::vector<Member*> out_;
  std::vector<std::int64_t> times_;
  std::vector<std::int64_t> answers_;
};

/// The word, and the number behind it.
[[nodiscard]] std::pair<std::string, std::size_t> parse(const std::string& order) {
  const std::size_t blank = order.find(' ');
  std::size_t number = 0;
  if (blank != std::string::npos) {
    std::from_chars(order.data() + blank + 1, order.data() + order.size(), number);
  }
  return {order.substr(0, blank), number};
}

[[nodiscard]] Json report(Fleet& fleet) {
  std::uint64_t keepalives = 0;
  std::size_t attached = 0;
  for (const auto& member : fleet.members) {
    keepalives += member->agent.machine().counters().keepalives_sent;
    attached += member->agent.machine().state() == AttachState::kAttached ? 1 : 0;
  }
  const agents::Histogram::Summary deltas = fleet.watch.deltas.summary();
  Json json = {{"attached", attached},
               {"lost", std::exchange(fleet.lost, 0)},
               {"keepalives", keepalives},
               {"announces", deltas.count},
               {"announce_delta_p50_ns", deltas.p50.count()},
               {"announce_delta_p99_ns", deltas.p99.count()},
               {"announce_delta_max_ns", deltas.max.count()}};
  fleet.watch.reset();
  return json;
}

/// The duty cycle of the process, and the orders that it works on.
class Duty {
 public:
  Duty(Fleet& fleet, Orders& orders) : fleet_(fleet), orders_(orders) {}

  /// Until the order to end comes.
  void run() {
    agents::Idle idle{{}};
    while (!ended_) {
      idle.idle(fleet_.do_work());
      if (sortie_) {
        advance();
      } else if (const Nanos now = fleet_.clock.mono(); now >= look_at_) {
        look_at_ = now + kLookPeriod;
        if (const std::optional<std::string> order = orders_.next()) {
          take(*order);
        }
      }
    }
  }

 private:
  static constexpr Nanos kLookPeriod = std::chrono::milliseconds(1);

  void advance() {
    if (!sortie_->advance()) {
      return;
    }
    if (--sorties_left_ == 0) {
      orders_.answer(sortie_->answer());
      sortie_.reset();
    } else {
      errand_ = errand_ == Errand::kAttach ? Errand::kDetach : Errand::kAttach;
      if (errand_ == Errand::kAttach) {  // another client: the same one would wait (D310)
        fleet_.members.front() = std::make_unique<Member>(fleet_, fleet_.options.leases.front());
      }
      sortie_.emplace(fleet_, errand_, 1, 1);
    }
  }

  void take(const std::string& order) {
    const auto [word, number] = parse(order);
    if (word == "report") {
      orders_.answer(report(fleet_));
      return;
    }
    const bool cycle = word == "cycle";
    ended_ = !cycle && word != "attach" && word != "detach";
    if (ended_) {
      return;
    }
    errand_ = word == "detach" ? Errand::kDetach : Errand::kAttach;
    sorties_left_ = cycle ? 2 * number : 1;
    sortie_.emplace(fleet_, errand_, cycle ? 1 : number, cycle ? 1 : fleet_.members.size());
  }

  Fleet& fleet_;
  Orders& orders_;
  std::optional<Sortie> sortie_;
  std::size_t sorties_left_ = 0;
  Errand errand_ = Errand::kAttach;
  Nanos look_at_{};
  bool ended_ = false;
};

}  // namespace

void run_fleet(const FleetOptions& options, Orders& orders) {
  Fleet fleet(options);
  Duty(fleet, orders).run();
}

}  // namespace tensorpool::bench
