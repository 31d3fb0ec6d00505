// A process of a benchmark: made by fork from one that has no threads yet, told what to do by lines
// of text, answering each with a line of JSON, and looked at from outside for what it costs.
//
// Thread contract: one thread on each side.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "tensorpool/types/time.hpp"

namespace tensorpool::bench {

using Json = nlohmann::ordered_json;

/// The child's end.
class Orders {
 public:
  explicit Orders(int socket) noexcept : socket_(socket) {}
  /// The next order, when there is one; `end` when the parent has gone.
  [[nodiscard]] std::optional<std::string> next();
  void answer(const Json& json) const;

 private:
  int socket_;
  std::string read_;
};

/// What a process has used so far, and what it has now.
struct Usage {
  Nanos processor{};
  Nanos at{};
  std::uint64_t anonymous_bytes = 0;  ///< resident, heap and stacks
  std::uint64_t shared_bytes = 0;     ///< resident, of files in shared memory
  std::size_t descriptors = 0;
  std::size_t mappings = 0;
};

/// Share of one processor between two looks.
[[nodiscard]] double load_between(const Usage& before, const Usage& after) noexcept;

/// The parent's end; the process ends with it.
class Role {
 public:
  /// Runs `work` in a new process, which ends when it returns.
  Role(std::string name, const std::function<void(Orders&)>& work);
  Role(const Role&) = delete;
  Role& operator=(const Role&) = delete;
  ~Role();

  /// Ends this process when the other one does not answer.
  Json ask(std::string_view order);
  /// The two halves of ask, for several processes at once.
  void order(std::string_view order) const;
  [[nodiscard]] Json answer();

  [[nodiscard]] Usage usage() const;

 private:
  std::string name_;
  pid_t pid_ = -1;
  int socket_ = -1;
  std::string read_;
};

}  // namespace tensorpool::bench
