// What became of a run: the first rule that was broken, and the last events before that.
//
// Checkers report here and never throw: they are called from the middle of the code under test.
#pragma once

#include <array>
#include <cstdint>
#include <cstdio>
#include <string>

#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::sim {

enum class Failure : std::uint8_t {
  kNone,
  kSafety,    ///< a mixed frame, a wrong account, a broken invariant
  kLiveness,  ///< no frames although all faults have stopped
  kTooTame,   ///< the run was shorter or calmer than promised
};

class Verdict {
 public:
  /// Keeps the first report.
  void fail(Failure failure, std::string what) {
    if (failure_ == Failure::kNone) {
      failure_ = failure;
      what_ = std::move(what);
    }
  }
  [[nodiscard]] bool failed() const noexcept { return failure_ != Failure::kNone; }
  [[nodiscard]] Failure failure() const noexcept { return failure_; }
  [[nodiscard]] const std::string& what() const noexcept { return what_; }

  /// Notes an event; the last ones are printed with a failure.
  void note(Nanos at, const char* who, std::uint32_t index, const char* what, std::uint64_t a = 0,
            std::uint64_t b = 0) noexcept {
    notes_[noted_++ % notes_.size()] = {at, who, what, index, a, b};
  }
  void print_notes(std::FILE* out) const {
    const std::uint64_t first = noted_ > notes_.size() ? noted_ - notes_.size() : 0;
    for (std::uint64_t k = first; k < noted_; ++k) {
      const Note& note = notes_[k % notes_.size()];
      std::fprintf(out, "  %14.6f ms  %s %u: %s %llu %llu\n",
                   static_cast<double>(note.at.count()) / 1e6, note.who, note.index, note.what,
                   static_cast<unsigned long long>(note.a),
                   static_cast<unsigned long long>(note.b));
    }
  }

 private:
  struct Note {
    Nanos at{};
    const char* who = "";
    const char* what = "";
    std::uint32_t index = 0;
    std::uint64_t a = 0;
    std::uint64_t b = 0;
  };

  Failure failure_ = Failure::kNone;
  std::string what_;
  std::array<Note, 64> notes_{};
  std::uint64_t noted_ = 0;
};

}  // namespace tensorpool::inline v0::sim
