// Names the requirements of docs/spec/ that a test proves. tools/conformance collects them from the
// tests that ran and passed.
#pragma once

#include <gtest/gtest.h>

#include <string>

/// First line of a test: TP_REQ("W33", "W34");
template <class... Ids>
void record_requirements(Ids... ids) {
  std::string joined;
  ((joined += (joined.empty() ? "" : " ") + std::string(ids)), ...);
  ::testing::Test::RecordProperty("requirements", joined);
}
#define TP_REQ(...) ::record_requirements(__VA_ARGS__)
