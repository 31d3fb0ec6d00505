#include "chaos/observer.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <iomanip>
#include <iostream>
#include <utility>

namespace tensorpool::chaos {
namespace {

constexpr auto kRest = std::chrono::microseconds(100);
constexpr auto kPause = std::chrono::milliseconds(10);  // shorter ones are not worth a note

[[nodiscard]] std::string text_of(const ConsumerEvent& event) {
  using Kind = ConsumerEvent::Kind;
  switch (event.kind) {
    case Kind::kDiscontinuity:
      return "discontinuity (" + std::string(to_string(event.reason)) + ")";
    case Kind::kLeaseLost:
      return "lease lost (" + std::string(to_string(event.loss)) + ")";
    case Kind::kBusLost:
      return "bus lost";
    case Kind::kBusBack:
      return "bus back";
    case Kind::kFallback:
      return "fallback";
    case Kind::kStreamFound:
    case Kind::kMapped:
    case Kind::kAttached:
    case Kind::kAttachFailed:
    case Kind::kDetached:
    case Kind::kError:
      break;  // steps on the way
  }
  return {};
}

}  // namespace

Observer::Observer(const std::string& name, const std::string& aeron_dir,
                   const std::string& shm_dir) {
  auto client = Client::create(
      {.mode = DeploymentMode::kDriver,
       .aeron_dir = aeron_dir,
       .allowed_base_dirs = {shm_dir},
       .log = [this](LogLevel, std::string_view text) { note("log: " + std::string(text)); }});
  if (!client) {
    ADD_FAILURE() << describe(client.error());
    return;
  }
  client_.emplace(*std::move(client));
  ConsumerOptions options;
  options.name = name;
  options.on_event = [this](const ConsumerEvent& event) { hear(event); };
  auto consumer = client_->create_consumer(options);
  if (!consumer) {
    ADD_FAILURE() << describe(consumer.error());
    return;
  }
  thread_ =
      std::thread([this, polled = std::move(*consumer)]() mutable { run(std::move(polled)); });
}

Observer::~Observer() {
  static_cast<void>(finish());
  if (!::testing::Test::HasFailure() || history_.empty()) {
    return;
  }
  std::cerr << "--- observer\n";
  for (const Told& one : history_) {
    const std::chrono::duration<double> since = one.at - history_.front().at;
    std::cerr << std::fixed << std::setprecision(3) << since.count() << " s  " << one.text << '\n';
  }
}

Observer::Findings Observer::finish() {
  ending_ = true;
  if (thread_.joinable()) {
    thread_.join();
  }
  client_.reset();
  findings_.frames = frames_;
  return findings_;
}

Observer::Noticed Observer::noticed(Clock::time_point from, Clock::time_point to) {
  Noticed noticed;
  const std::lock_guard lock(mutex_);
  for (const Pause& pause : pauses_) {
    if (pause.end >= from && pause.end <= to) {
      noticed.silence = std::max(noticed.silence, pause.span);
    }
  }
  for (const Told& told : told_) {
    const bool is_new =
        std::find(noticed.told.begin(), noticed.told.end(), told.text) == noticed.told.end();
    if (told.at >= from && told.at <= to && is_new) {
      noticed.told.push_back(told.text);
    }
  }
  return noticed;
}

void Observer::run(Consumer consumer) {
  while (!ending_) {
    if (consumer.poll([this](const FrameView& frame) { take(frame); }).frames == 0) {
      std::this_thread::sleep_for(kRest);
    }
    findings_.unbalanced += identity_.holds(consumer) ? 0U : 1U;
  }
}

void Observer::take(const FrameView& frame) {
  const bool known = epoch_ == frame.epoch();
  findings_.backwards +=
      frame.epoch() < epoch_ || (known && frame.seq() <= last_seq_ && frames_ != 0) ? 1U : 0U;
  const bool right = ramp_.check(frame.info(), frame.bytes(), frame.epoch(), frame.seq()) ==
                     apps::RampCheck::Verdict::kRight;
  findings_.torn += !right && frame.still_valid() ? 1U : 0U;
  const Clock::time_point now = Clock::now();
  if (frames_ != 0 && now - last_frame_at_.load() >= kPause) {
    const std::lock_guard lock(mutex_);
    pauses_.push_back({.end = now, .span = now - last_frame_at_.load()});
  }
  last_frame_at_ = now;
  last_seq_ = frame.seq();
  epoch_ = frame.epoch();
  ++frames_;
}

void Observer::note(std::string line) {
  const std::lock_guard lock(mutex_);
  history_.push_back({.at = Clock::now(), .text = std::move(line)});
}

void Observer::hear(const ConsumerEvent& event) {
  note("event " + std::to_string(static_cast<int>(event.kind)) + ", epoch " +
       std::to_string(event.epoch) + (event.error.code == Errc{} ? "" : ": ") +
       (event.error.code == Errc{} ? std::string() : describe(event.error)));
  std::string text = text_of(event);
  if (!text.empty()) {
    const std::lock_guard lock(mutex_);
    told_.push_back({.at = Clock::now(), .text = std::move(text)});
  }
}

}  // namespace tensorpool::chaos
