// The counters of a daemon among those of the media driver, where every Aeron tool sees them.
//
// Thread contract: one thread. Spec: 2-driver.md §2.22 (D336..D338).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bus/client.hpp"

namespace tensorpool::inline v0::agents {

class CounterBoard {
 public:
  struct Options {
    std::int32_t type_id_base = 0;  ///< counter number n, from 1 on, has this type id and n
    std::string instance_id = {};
    std::vector<std::string_view> names = {};  ///< in the order of their numbers; they outlive it
  };

  /// The names of a table of counters, as core/driver/counters.hpp has one.
  template <class Fields>
  [[nodiscard]] static std::vector<std::string_view> names_of(const Fields& fields) {
    std::vector<std::string_view> names;
    for (const auto& field : fields) {
      names.push_back(field.name);
    }
    return names;
  }

  /// `client` outlives the board.
  CounterBoard(bus::Client& client, Options options)
      : client_(client), options_(std::move(options)), shown_(options_.names.size()) {}

  /// Shows the values. Adds the counters when the media driver has come (again); goes on without
  /// those that it refuses. Precondition: as many as there are names.
  void do_work(std::span<const std::uint64_t> values);

  /// The same, out of a table of counters.
  template <class Counters, class Field, std::size_t kCount>
  void do_work(const Counters& counters, const std::array<Field, kCount>& fields) {
    std::array<std::uint64_t, kCount> values{};
    for (std::size_t k = 0; k < kCount; ++k) {
      values[k] = counters.*fields[k].value;
    }
    do_work(values);
  }

 private:
  struct Shown {
    std::optional<bus::Pending<bus::Counter>> pending;
    std::unique_ptr<bus::Counter> counter;
  };
  void add_all();

  bus::Client& client_;
  Options options_;
  std::uint64_t added_under_ = 0;  ///< generation of the connection
  std::vector<Shown> shown_;
};

}  // namespace tensorpool::inline v0::agents
