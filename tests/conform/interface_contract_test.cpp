// What the protocol demands of the interface's documentation: the installed headers say it where
// a reader of the class will find it.
#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <string>
#include <string_view>

#include "support/requirement.hpp"

namespace tensorpool::test {
namespace {

/// The comment right before the definition of `class_name`, as one line of text.
[[nodiscard]] std::string comment_of(std::string_view header, std::string_view class_name) {
  std::ifstream file(std::string(TP_INCLUDE_DIR) + "/tensorpool/" + std::string(header));
  std::string comment;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("///")) {
      comment += line.substr(3);
    } else if (line.starts_with("class ") &&
               std::regex_search(line, std::regex("\\b" + std::string(class_name) + " \\{"))) {
      return comment;
    } else if (!line.starts_with("template ")) {
      comment.clear();
    }
  }
  return {};
}

TEST(InterfaceContract, names_the_threads_that_may_use_each_class) {
  TP_REQ("W163");
  for (const auto& [header, class_name] :
       {std::pair{"client.hpp", "Client"}, std::pair{"producer.hpp", "Producer"},
        std::pair{"producer.hpp", "Claim"}, std::pair{"consumer.hpp", "Consumer"},
        std::pair{"frame.hpp", "FrameView"}, std::pair{"frame.hpp", "FrameLease"}}) {
    EXPECT_NE(comment_of(header, class_name).find("Thread contract:"), std::string::npos)
        << header << ": " << class_name;
  }
  EXPECT_NE(comment_of("producer.hpp", "Producer").find("one thread at a time for publish"),
            std::string::npos);
}

TEST(InterfaceContract, demands_the_check_after_use_of_frames_that_are_read_in_place) {
  TP_REQ("W171");
  EXPECT_NE(comment_of("tensor_view.hpp", "TensorView").find("still_valid()"), std::string::npos);
  std::ifstream file(std::string(TP_INCLUDE_DIR) + "/tensorpool/frame.hpp");
  std::string banner;
  for (std::string line; std::getline(file, line) && line.starts_with("//");) {
    banner += line.substr(2);
  }
  EXPECT_NE(banner.find("`still_valid()`; only when it says true were all the bytes you read"),
            std::string::npos)
      << banner;
}

}  // namespace
}  // namespace tensorpool::test
