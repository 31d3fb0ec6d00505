// Names the requirements of docs/spec/ that a test proves. tools/conformance collects them from the
// tests that ran and passed.
#pragma once

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <string_view>

/// First line of a test: TP_REQ("W33", "W34");
inline void record_requirements(std::initializer_list<std::string_view> ids) {
  std::string joined;
  for (const std::string_view id : ids) {
    if (!joined.empty()) {
      joined += ' ';
    }
    joined += id;
  }
  ::testing::Test::RecordProperty("requirements", joined);
}
#define TP_REQ(...) ::record_requirements({__VA_ARGS__})

/// For a test that this machine cannot run: TP_SKIP_WITHOUT("root, hugetlbfs") after TP_REQ. The
/// matrix then says what was needed, and does not call the requirement missing.
#define TP_SKIP_WITHOUT(needs)                       \
  do {                                               \
    ::testing::Test::RecordProperty("needs", needs); \
    GTEST_SKIP() << "needs: " << (needs);            \
  } while (false)
