// What a case of `tp conform` came to, and what a case is.
//
// A case judges a record: everything that was observed of one foreign program. Observing and
// judging are kept apart, so that judging is pure and every case can be shown to fail. Thread
// contract: plain values and free functions.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tensorpool::inline v0::apps::conform {

enum class Outcome : std::uint8_t {
  kPassed,
  kFailed,
  kNotObservable,  ///< what the rule speaks of did not happen, or cannot be seen from outside
};
[[nodiscard]] std::string_view to_string(Outcome outcome) noexcept;

struct Finding {
  Outcome outcome = Outcome::kNotObservable;
  std::string seen;  ///< what it was judged by
};
[[nodiscard]] Finding passed(std::string seen);
[[nodiscard]] Finding failed(std::string seen);
[[nodiscard]] Finding not_observable(std::string why);

/// One case: rules of docs/spec, in a sentence, and how a record is judged by them.
template <class Record>
struct Case {
  std::string_view name;
  std::string_view ids;
  std::string_view rule;
  Finding (*judge)(const Record& record);
};

struct CaseResult {
  std::string_view name;
  std::string_view ids;
  std::string_view rule;
  Finding finding;
};

/// All cases of `cases` whose name is in `wanted`; all of them where `wanted` is empty.
template <class Record>
[[nodiscard]] std::vector<CaseResult> judge_all(std::span<const Case<Record>> cases,
                                                const Record& record,
                                                std::span<const std::string> wanted = {}) {
  std::vector<CaseResult> results;
  for (const Case<Record>& one : cases) {
    bool is_wanted = wanted.empty();
    for (const std::string& name : wanted) {
      is_wanted = is_wanted || name == one.name;
    }
    if (is_wanted) {
      results.push_back({one.name, one.ids, one.rule, one.judge(record)});
    }
  }
  return results;
}

}  // namespace tensorpool::inline v0::apps::conform
