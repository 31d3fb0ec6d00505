// tp-sim, the program that a person runs to replay a failure.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <string>

namespace {

struct Output {
  int exit_code = -1;
  std::string first_seed;  ///< first line
  std::string replay;      ///< second line: the first of the failure
  std::string failure;     ///< third line
};

Output run(const std::string& command) {
  Output result;
  std::FILE* const out = ::popen((command + " 2>&1").c_str(), "r");
  if (out == nullptr) {
    return result;
  }
  char line[1024];
  for (std::string* text : {&result.first_seed, &result.replay, &result.failure}) {
    if (std::fgets(line, sizeof(line), out) != nullptr) {
      *text = line;
      text->pop_back();
    }
  }
  while (std::fgets(line, sizeof(line), out) != nullptr) {
  }
  const int status = ::pclose(out);
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return result;
}

struct Case {
  const char* name;
  const char* bug;
  int exit_code;
  const char* kind;
};
constexpr Case kCases[] = {
    {"safety", "no-second-check", 4, "safety: "},
    {"safety_with_driver", "same-epoch", 4, "safety: "},
    {"liveness_with_driver", "deaf-after-restart", 5, "liveness: "},
    {"liveness", "mute-after-restart", 5, "liveness: "},
    {"crash", "crash", 3, "crash: "},
};

class Replay : public testing::TestWithParam<Case> {};

TEST_P(Replay, is_the_first_line_of_a_failure_and_repeats_it) {
  const Output sut = run(std::string(TP_SIM " --seed 0x5eed --seeds 32 --bug ") + GetParam().bug);
  EXPECT_EQ(sut.exit_code, GetParam().exit_code);
  EXPECT_EQ(sut.failure.find(GetParam().kind), 0U) << sut.failure;
  ASSERT_EQ(sut.replay.find(TP_SIM " --world "), 0U) << sut.replay;
  const Output again = run(sut.replay);
  EXPECT_EQ(again.exit_code, sut.exit_code);
  EXPECT_EQ(again.replay, sut.replay);
  EXPECT_EQ(again.failure, sut.failure);
}

INSTANTIATE_TEST_SUITE_P(Failures, Replay, testing::ValuesIn(kCases),
                         [](const auto& tested) { return std::string(tested.param.name); });

TEST(Program, demands_that_every_marked_path_is_reached) {
  const Output sut = run(TP_SIM " --seed 1 --seeds 1 --demand-marks");
  EXPECT_EQ(sut.exit_code, 6);
}

TEST(Program, runs_the_same_seeds_in_several_processes) {
  const Output sut = run(TP_SIM " --seed 1 --seeds 12 --jobs 3");
  EXPECT_EQ(sut.exit_code, 0);
  EXPECT_EQ(sut.replay.find("36 seeds in "), 0U) << "12 in each world: " << sut.replay;
}

TEST(Program, runs_one_world_alone) {
  const Output sut = run(TP_SIM " --world driver --seed 1 --seeds 3");
  EXPECT_EQ(sut.exit_code, 0);
  EXPECT_EQ(sut.replay.find("3 seeds in "), 0U) << sut.replay;
}

}  // namespace
