// Data of people, bit for bit: tp pub in one process, tp sub in another.
#include "tp_process.hpp"
#include "unit/apps_files/png_file.hpp"

namespace tensorpool::test {
namespace {

/// Rows, columns, bytes of an element, frames.
constexpr std::size_t kStackBytes = 20UL * 24 * 32 * 2;

class RoundTrip : public TpTest {
 protected:
  /// What a subscriber has written to the file `to` once both have ended; with "-", its output.
  std::string through(const Arguments& from, const std::string& to, const Arguments& how = {},
                      const std::string& input = "/dev/null") {
    Arguments receive = {"sub", "cam1", "--to", to == "-" ? to : path(to)};
    receive.insert(receive.end(), how.begin(), how.end());
    const auto sub = start(receive);
    const auto pub = publish("cam1", from, input);
    EXPECT_EQ(pub->wait(), 0);
    EXPECT_EQ(sub->wait(), 0);
    EXPECT_EQ(pub->out(), "");
    return to == "-" ? sub->out()
                     : (std::filesystem::is_directory(path(to)) ? "" : read_file(path(to)));
  }
  Arguments from(const std::string& name, std::string_view bytes) {
    write_file(path(name), bytes);
    return {"--from", path(name), "--hz", "0"};
  }
  static std::string text_of(const apps_files_test::Bytes& bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
};

TEST_F(RoundTrip, of_a_stack_of_numpy_gives_the_same_file) {
  for (const bool fortran : {false, true}) {
    const std::string file = npy_file("<u2", "(20, 24, 32)", noise(kStackBytes), fortran);
    EXPECT_EQ(through(from("in.npy", file), "out.npy"), file) << "fortran: " << fortran;
  }
}

TEST_F(RoundTrip, without_descriptors_gives_the_same_file) {
  const std::string file = npy_file("<f8", "(20, 24, 8)", noise(kStackBytes));
  EXPECT_EQ(through(from("in.npy", file), "out.npy", {"--direct"}), file);
}

TEST_F(RoundTrip, at_a_rate_gives_the_same_file) {
  const std::string file = npy_file("|u1", "(20, 24, 64)", noise(kStackBytes));
  write_file(path("in.npy"), file);
  EXPECT_EQ(through({"--from", path("in.npy"), "--hz", "200"}, "out.npy"), file);
}

TEST_F(RoundTrip, by_a_fits_cube_gives_the_same_files) {
  const std::string stack = npy_file("<i2", "(20, 24, 32)", noise(kStackBytes));
  const std::string cube = through(from("in.npy", stack), "cube.fits");
  EXPECT_EQ(cube.substr(0, 9), "SIMPLE  =");
  EXPECT_EQ(through(from("in.fits", cube), "out.fits"), cube);
  EXPECT_EQ(through(from("in.fits", cube), "out.npy"), stack);
}

TEST_F(RoundTrip, by_a_directory_gives_the_same_stack) {
  const std::string stack = npy_file("<u4", "(20, 24, 16)", noise(kStackBytes));
  std::filesystem::create_directory(path("frames"));
  static_cast<void>(through(from("in.npy", stack), "frames"));
  EXPECT_EQ(through({"--from", path("frames"), "--hz", "0"}, "out.npy"), stack);
}

TEST_F(RoundTrip, of_images_gives_their_pixels) {
  EXPECT_EQ(through(from("in.pgm", "P5 3 2 65535\n\1\2\3\4\5\6\7\x8\x9\xa\xb\xc"), "-"),
            "\2\1\4\3\6\5\x8\7\xa\x9\xc\xb");
  const std::string pixels = noise(16UL * 12 * 3);
  const auto png = apps_files_test::png_file(
      {.width = 16, .height = 12, .bit_depth = 8, .color_type = 2, .stored = pixels});
  EXPECT_EQ(through(from("in.png", text_of(png)), "-"), pixels);
}

TEST_F(RoundTrip, of_raw_bytes_gives_the_same_bytes) {
  const std::string raw = noise(kStackBytes);
  Arguments file = from("in.raw", raw);
  file.insert(file.end(), {"--shape", "24,32", "--dtype", "u2"});
  EXPECT_EQ(through(file, "-"), raw);
  const Arguments piped = {"--from", "-", "--shape", "24,32", "--dtype", "u2"};
  EXPECT_EQ(through(piped, "-", {}, path("in.raw")), raw);
}

TEST_F(RoundTrip, of_a_part_ends_with_the_count) {
  const std::string elements = noise(kStackBytes);
  Arguments part = from("in.npy", npy_file("<u2", "(20, 24, 32)", elements));
  part.insert(part.end(), {"--count", "7"});
  EXPECT_EQ(through(part, "out.npy"),
            npy_file("<u2", "(7, 24, 32)", elements.substr(0, 7UL * 24 * 32 * 2)));
}

}  // namespace
}  // namespace tensorpool::test
