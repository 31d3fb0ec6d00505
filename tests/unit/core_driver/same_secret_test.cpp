#include "core/driver/same_secret.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "support/requirement.hpp"

namespace tensorpool::core::driver {
namespace {

/// A text that counts how often it is read.
class Counted {
 public:
  explicit Counted(std::string_view text) : text_(text) {}
  [[nodiscard]] std::size_t size() const { return text_.size(); }
  [[nodiscard]] char operator[](std::size_t i) const {
    ++reads_;
    return text_[i];
  }
  [[nodiscard]] int reads() const { return reads_; }

 private:
  std::string_view text_;
  mutable int reads_ = 0;
};

TEST(SameSecret, is_true_of_equal_bytes_alone) {
  TP_REQ("D259");
  using namespace std::string_view_literals;
  EXPECT_TRUE(same_secret("open sesame"sv, "open sesame"sv));
  EXPECT_TRUE(same_secret(""sv, ""sv));
  EXPECT_TRUE(same_secret("a\0b"sv, "a\0b"sv));
  for (const auto wrong : {""sv, "open sesam"sv, "open sesame "sv, "Open sesame"sv, "open sesamE"sv,
                           "open sesame\0"sv, "\0pen sesame"sv}) {
    EXPECT_FALSE(same_secret("open sesame"sv, wrong)) << wrong;
  }
  EXPECT_FALSE(same_secret("a\0"sv, "a"sv)) << "a missing byte is no zero";
}

TEST(SameSecret, looks_at_every_byte_once_wherever_the_first_difference_is) {
  TP_REQ("D259");
  const std::string right(64, 'x');
  for (std::size_t at = 0; at < right.size(); ++at) {
    std::string wrong = right;
    wrong[at] = 'y';
    const Counted secret(right);
    const Counted given(wrong);
    EXPECT_FALSE(same_secret(secret, given));
    EXPECT_EQ(secret.reads(), 64) << at;
    EXPECT_EQ(given.reads(), 64) << at;
  }
  const Counted secret(right);
  EXPECT_FALSE(same_secret(secret, std::string_view("y")));
  EXPECT_EQ(secret.reads(), 64) << "nor does a wrong length end it early";
}

}  // namespace
}  // namespace tensorpool::core::driver
