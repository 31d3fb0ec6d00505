#include "base/kill_point.hpp"

#if defined(TP_KILLPOINTS)

#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace tensorpool::inline v0::base::kill_points {
namespace {

[[nodiscard]] Point*& first() noexcept {
  static Point* head = nullptr;
  return head;
}

/// What the environment asks for.
struct Wish {
  std::string_view name;
  std::uint32_t visit = 1;

  [[nodiscard]] static Wish of_environment() noexcept {
    const char* const text = std::getenv("TENSORPOOL_KILLPOINT");
    Wish wish{.name = text == nullptr ? "" : text};
    if (const std::size_t mark = wish.name.find('#'); mark != std::string_view::npos) {
      const std::string_view digits = wish.name.substr(mark + 1);
      std::from_chars(digits.data(), digits.data() + digits.size(), wish.visit);
      wish.name = wish.name.substr(0, mark);
    }
    return wish;
  }
};

[[nodiscard]] const Wish& wish() noexcept {
  static const Wish wish = Wish::of_environment();
  return wish;
}

struct Lister {
  ~Lister() {
    for (const Point* point = first(); point != nullptr && wish().name == "list";
         point = point->next) {
      std::fprintf(stderr, "%s\n", point->name);
    }
  }
} const lister;

}  // namespace

Point::Point(const char* point_name) noexcept : name(point_name), next(first()) {
  first() = this;
}

void visit(Point& point) noexcept {
  if (!wish().name.empty() && wish().name == point.name &&
      point.visits.fetch_add(1, std::memory_order_relaxed) + 1 == wish().visit) {
    std::raise(SIGKILL);
  }
}

}  // namespace tensorpool::inline v0::base::kill_points

#endif
