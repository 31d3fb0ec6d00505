#include "apps/sources/simulated.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <set>
#include <vector>

namespace {

using namespace tensorpool;
using namespace tensorpool::apps;
using sources::Simulation;

std::unique_ptr<files::FrameSource> make(const sources::SimulationOptions& options) {
  auto source = sources::make_simulation(options);
  EXPECT_TRUE(source) << describe(source.error());
  return source ? std::move(*source) : nullptr;
}

/// The next frame as elements of T.
template <class T>
std::vector<T> next(files::FrameSource& source) {
  const auto frame = source.next();
  if (!frame || !*frame) {
    ADD_FAILURE() << "no frame";
    return {};
  }
  EXPECT_EQ((*frame)->size(), source.frame_bytes());
  std::vector<T> values((*frame)->size() / sizeof(T));
  std::memcpy(values.data(), (*frame)->data(), (*frame)->size());
  return values;
}

TEST(Camera, shows_a_spot_in_each_subaperture) {
  const auto sut = make({.simulation = Simulation::kCamera});
  EXPECT_EQ(sut->info(), TensorInfo::packed(Dtype::kUint16, {512, 640}));
  const auto frame = next<std::uint16_t>(*sut);
  for (std::size_t y = 0; y < 512; y += 32) {
    for (std::size_t x = 0; x < 640; x += 32) {
      int bright = 0;
      for (std::size_t i = 0; i < 32 * 32; ++i) {
        bright += frame[(y + i / 32) * 640 + x + i % 32] > 6000 ? 1 : 0;
      }
      EXPECT_GE(bright, 6) << y << ' ' << x;
      EXPECT_LE(bright, 20) << y << ' ' << x;
    }
  }
}

TEST(Camera, moves_its_spots_a_little_from_frame_to_frame) {
  const auto sut = make({.simulation = Simulation::kCamera});
  const auto centre = [&sut] {  // of the first spot
    const auto frame = next<std::uint16_t>(*sut);
    double sum = 0;
    double moment = 0;
    for (std::size_t i = 0; i < 32 * 32; ++i) {
      const double light = std::max(0, frame[(i / 32) * 640 + i % 32] - 200);
      sum += light;
      moment += light * static_cast<double>(i % 32);
    }
    return moment / sum;
  };
  double before = centre();
  double travelled = 0;
  for (int frame = 0; frame < 32; ++frame) {  // the 32nd is the first again
    const double now = centre();
    EXPECT_LT(std::abs(now - before), 1.0);
    travelled += std::abs(now - before);
    before = now;
  }
  EXPECT_GT(travelled, 4.0);
}

TEST(Camera, refuses_other_types_and_shapes) {
  for (const auto& options :
       {sources::SimulationOptions{.shape = {512}},
        sources::SimulationOptions{.shape = {64, 64}, .dtype = Dtype::kFloat32},
        sources::SimulationOptions{.shape = {1'000'000, 1'000'000}}}) {
    const auto source = sources::make_simulation(options);
    ASSERT_FALSE(source);
    EXPECT_EQ(source.error().code, Errc::kInvalidArgument);
  }
}

TEST(Ramp, counts_elements_and_frames) {
  const auto wide = make({.simulation = Simulation::kRamp, .shape = {3, 40'000}});
  const auto narrow =
      make({.simulation = Simulation::kRamp, .shape = {300}, .dtype = Dtype::kUint8});
  const auto floating =
      make({.simulation = Simulation::kRamp, .shape = {300}, .dtype = Dtype::kFloat64});
  for (std::size_t frame = 0; frame < 70'000; ++frame) {
    const std::size_t checked = frame % 9973 == 0 ? 1 : 0;
    if (checked == 0) {
      ASSERT_TRUE(wide->next() && narrow->next() && floating->next());
      continue;
    }
    const auto values = next<std::uint16_t>(*wide);
    for (std::size_t i = 0; i < values.size(); ++i) {
      ASSERT_EQ(values[i], (frame + i) % 65'536);
    }
    EXPECT_EQ(next<std::uint8_t>(*narrow)[299], (frame + 299) % 256);
    EXPECT_EQ(next<double>(*floating)[299], static_cast<double>((frame + 299) % 65'536));
  }
}

TEST(Noise, spreads_over_the_values_of_its_type) {
  const auto bytes =
      make({.simulation = Simulation::kNoise, .shape = {65'536}, .dtype = Dtype::kUint8});
  std::map<std::uint8_t, int> histogram;
  for (const std::uint8_t value : next<std::uint8_t>(*bytes)) {
    ++histogram[value];
  }
  EXPECT_EQ(histogram.size(), 256U);
  for (const auto& [value, count] : histogram) {
    EXPECT_NEAR(count, 256, 100) << int{value};
  }
  const auto floats =
      make({.simulation = Simulation::kNoise, .shape = {65'536}, .dtype = Dtype::kFloat32});
  double sum = 0;
  for (const float value : next<float>(*floats)) {
    ASSERT_GE(value, 0.0F);
    ASSERT_LT(value, 1.0F);
    sum += value;
  }
  EXPECT_NEAR(sum / 65'536, 0.5, 0.01);
  const auto flags =
      make({.simulation = Simulation::kNoise, .shape = {1000}, .dtype = Dtype::kBoolean});
  const auto values = next<std::uint8_t>(*flags);
  EXPECT_EQ(std::set<std::uint8_t>(values.begin(), values.end()), (std::set<std::uint8_t>{0, 1}));
}

TEST(Simulations, give_the_same_frames_for_the_same_seed) {
  for (const Simulation simulation : {Simulation::kCamera, Simulation::kNoise}) {
    const auto first = make({.simulation = simulation, .seed = 7, .shape = {64, 96}});
    const auto same = make({.simulation = simulation, .seed = 7, .shape = {64, 96}});
    const auto other = make({.simulation = simulation, .seed = 8, .shape = {64, 96}});
    const auto start = next<std::uint16_t>(*first);
    EXPECT_EQ(start, next<std::uint16_t>(*same));
    EXPECT_NE(start, next<std::uint16_t>(*other));
    const auto second = next<std::uint16_t>(*first);
    EXPECT_NE(second, start);
    EXPECT_EQ(second, next<std::uint16_t>(*same));
    ASSERT_TRUE(first->rewind());
    EXPECT_EQ(start, next<std::uint16_t>(*first));
  }
}

TEST(ParseSimulation, knows_three_words) {
  EXPECT_EQ(sources::parse_simulation("camera").value(), Simulation::kCamera);
  EXPECT_EQ(sources::parse_simulation("ramp").value(), Simulation::kRamp);
  EXPECT_EQ(sources::parse_simulation("noise").value(), Simulation::kNoise);
  EXPECT_EQ(sources::parse_simulation("film").error().code, Errc::kInvalidArgument);
}

}  // namespace
