// What the tests of bus/ share: a private Aeron directory, a client with its duty cycle, and
// waiting for a condition instead of for time.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "bus/client.hpp"
#include "bus/link.hpp"
#include "bus/media_driver.hpp"

namespace tensorpool::bus::testing {

inline Nanos mono_now() {
  return std::chrono::duration_cast<Nanos>(std::chrono::steady_clock::now().time_since_epoch());
}

/// A path below a new directory on tmpfs, removed with everything in it.
class PrivateDir {
 public:
  PrivateDir() {
    char made[] = "/dev/shm/tensorpool-test-XXXXXX";
    path_ = ::mkdtemp(made);
  }
  PrivateDir(const PrivateDir&) = delete;
  PrivateDir& operator=(const PrivateDir&) = delete;
  ~PrivateDir() { std::filesystem::remove_all(path_); }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string aeron() const { return path_ + "/aeron"; }

 private:
  std::string path_;
};

/// Repeats `step` until it is true. False after a time that only a broken program needs.
template <class Step>
[[nodiscard]] bool eventually(Step&& step, Nanos patience = std::chrono::seconds(30)) {
  const Nanos deadline = mono_now() + patience;
  while (!step()) {
    if (mono_now() > deadline) {
      return false;
    }
    std::this_thread::yield();
  }
  return true;
}

inline Client make_client(const std::string& aeron_dir, Nanos driver_timeout = kDriverTimeout) {
  Result<Client> client =
      Client::create({.aeron_dir = aeron_dir, .driver_timeout = driver_timeout});
  EXPECT_TRUE(client.has_value());
  return std::move(*client);
}

inline bool bring_up(Client& client) {
  return eventually([&client] {
    client.do_work(mono_now());
    return client.is_up();
  });
}

/// Runs the client until the request is answered.
template <class T>
Result<std::unique_ptr<T>> wait_for(Client& client, Result<Pending<T>> begun) {
  if (!begun) {
    return fail(begun.error());
  }
  Result<std::unique_ptr<T>> answer{std::unique_ptr<T>()};
  EXPECT_TRUE(eventually([&] {
    client.do_work(mono_now());
    answer = begun->poll();
    return !answer || *answer != nullptr;
  }));
  return answer;
}

inline Channel channel(std::string_view text) {
  return Channel::parse(text).value();
}

inline std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}
inline std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// An embedded media driver in a private directory, and one client connected to it.
class BusTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Result<MediaDriver> started = MediaDriver::start({.aeron_dir = dir_.aeron()});
    ASSERT_TRUE(started.has_value()) << describe(started.error());
    driver_ = std::make_unique<MediaDriver>(std::move(*started));
    client_ = std::make_unique<Client>(make_client(dir_.aeron()));
    ASSERT_TRUE(bring_up(*client_));
  }

  std::unique_ptr<ExclusivePublication> publish(std::string_view on, std::int32_t stream_id) {
    auto made = wait_for(*client_, client_->begin_add_publication(channel(on), stream_id));
    EXPECT_TRUE(made.has_value()) << describe(made.error());
    return made ? std::move(*made) : nullptr;
  }
  std::unique_ptr<Subscription> subscribe(std::string_view on, std::int32_t stream_id) {
    auto made = wait_for(*client_, client_->begin_add_subscription(channel(on), stream_id));
    EXPECT_TRUE(made.has_value()) << describe(made.error());
    return made ? std::move(*made) : nullptr;
  }
  [[nodiscard]] bool until(const std::function<bool()>& condition) {
    return eventually([&] {
      client_->do_work(mono_now());
      return condition();
    });
  }

  PrivateDir dir_;
  std::unique_ptr<MediaDriver> driver_;
  std::unique_ptr<Client> client_;
};

}  // namespace tensorpool::bus::testing
