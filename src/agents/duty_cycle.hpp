// What an agent is: a single-threaded object that is called again and again.
//
// An agent owns its state, never sleeps, locks or reads a clock, and drains each input up to a
// bound per cycle. Runner, shared thread and simulator are three callers of the same do_work.
//
// do_work is not required to be noexcept, other than the rest: what a library below throws (in
// practice std::bad_alloc) reaches the runner's last-resort catch, which stops this agent and says
// so, where noexcept would end the whole process of an application that merely embeds us.
#pragma once

#include <algorithm>
#include <concepts>
#include <string_view>
#include <tuple>

#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::agents {

template <class A>
concept DutyCycle = requires(A& agent, Nanos now) {
  // Work count; 0 lets the runner idle.
  { agent.do_work(now) } -> std::same_as<int>;
  // When there will be something to do without an input; the simulator jumps time to it.
  { agent.next_deadline() }
  noexcept->std::same_as<Nanos>;
  { agent.on_close() }
  noexcept;
  { agent.role() }
  noexcept->std::same_as<std::string_view>;
};

/// `next_deadline` of an agent that waits for inputs only.
inline constexpr Nanos kNoDeadline = Nanos::max();

/// Several agents in one: they take turns in the given order, and close in the reverse one.
///
/// Thread contract: that of the agents. The agents outlive it.
template <DutyCycle... Agents>
class Composite {
 public:
  explicit Composite(Agents&... agents) noexcept : agents_(agents...) {}

  int do_work(Nanos now) {
    return std::apply([now](Agents&... agent) { return (0 + ... + agent.do_work(now)); }, agents_);
  }
  [[nodiscard]] Nanos next_deadline() noexcept {
    return std::apply(
        [](Agents&... agent) noexcept {
          return std::min({kNoDeadline, agent.next_deadline()...});
        },
        agents_);
  }
  void on_close() noexcept { close_from<0>(); }
  [[nodiscard]] std::string_view role() const noexcept { return "composite"; }

 private:
  template <std::size_t kIndex>
  void close_from() noexcept {
    if constexpr (kIndex < sizeof...(Agents)) {
      close_from<kIndex + 1>();
      std::get<kIndex>(agents_).on_close();
    }
  }

  std::tuple<Agents&...> agents_;
};

}  // namespace tensorpool::inline v0::agents
