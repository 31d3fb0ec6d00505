// A terminal as a full screen: no echo, keys one by one, the alternate screen, and everything as it
// was before in the end, whatever that is: return, a signal that kills (those of errors as well),
// or Ctrl-Z, after which it goes on when the shell says so.
//
// Thread contract: one thread, and one terminal in a process at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "apps/keys.hpp"
#include "tensorpool/types/error.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::apps {

class Terminal {
 public:
  struct Size {
    std::size_t columns = 80;
    std::size_t rows = 24;
  };

  /// True when standard input and standard output are a terminal that can do this.
  [[nodiscard]] static bool is_there() noexcept;

  /// Takes the terminal over. Precondition: is_there(), and there is no other Terminal.
  [[nodiscard]] static Result<Terminal> open();
  Terminal(Terminal&& other) noexcept;
  Terminal& operator=(Terminal&&) = delete;
  ~Terminal();

  [[nodiscard]] Size size() const noexcept;
  /// Shows these lines from the top, as many as there is room for, and nothing else. False when the
  /// terminal has gone.
  [[nodiscard]] bool draw(const std::vector<std::string>& lines);

  enum class Heard : std::uint8_t {
    kNothing,  ///< the time is over, or a signal came
    kKeys,     ///< `keys`
    kGone,     ///< the terminal
  };
  /// Waits for keys, at most for `patience`.
  [[nodiscard]] Heard listen(Nanos patience, std::vector<Key>& keys);
  /// The size has changed, or the program was stopped meanwhile, since this was last asked.
  [[nodiscard]] bool must_redraw() noexcept;

 private:
  Terminal() = default;
  bool owns_ = true;
};

}  // namespace tensorpool::inline v0::apps
