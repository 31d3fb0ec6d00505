#include "agents/thread.hpp"

#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace tensorpool::inline v0::agents {
namespace {

constexpr std::size_t kNameBytesMax = 15;

struct Body {
  std::string name;
  std::function<void()> run;
};

void* thread_main(void* argument) noexcept {
  const std::unique_ptr<Body> body(static_cast<Body*>(argument));
  pthread_setname_np(pthread_self(), body->name.c_str());
  body->run();
  return nullptr;
}

/// pthread attributes that a failure cannot leak.
class Attributes {
 public:
  Attributes() noexcept { pthread_attr_init(&attributes_); }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;
  ~Attributes() { pthread_attr_destroy(&attributes_); }
  pthread_attr_t* get() noexcept { return &attributes_; }

 private:
  pthread_attr_t attributes_{};
};

}  // namespace

Result<Thread> Thread::start(const Options& options, std::function<void()> body) {
  Attributes attributes;
  if (options.cpu) {
    cpu_set_t processors;
    CPU_ZERO(&processors);
    if (*options.cpu < 0 || *options.cpu >= CPU_SETSIZE) {
      return fail(Errc::kInvalidArgument, "cpu", static_cast<std::uint64_t>(*options.cpu),
                  CPU_SETSIZE - 1);
    }
    CPU_SET(static_cast<std::size_t>(*options.cpu), &processors);
    pthread_attr_setaffinity_np(attributes.get(), sizeof(processors), &processors);
  }
  auto argument = std::make_unique<Body>(
      Body{.name = options.name.substr(0, kNameBytesMax), .run = std::move(body)});

  Thread thread;
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // inherited by the new thread
  const int error = pthread_create(&thread.handle_, attributes.get(), &thread_main, argument.get());
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error != 0) {
    if (error == EINVAL && options.cpu) {
      return fail(Errc::kInvalidArgument, "cpu", static_cast<std::uint64_t>(*options.cpu));
    }
    return fail(make_os_error(Errc::kOsFailure, "pthread_create", error));
  }
  static_cast<void>(argument.release());  // the thread owns it now
  thread.owner_ = ::getpid();
  return thread;
}

Thread::Thread(Thread&& other) noexcept
    : handle_(other.handle_), owner_(std::exchange(other.owner_, 0)) {}

Thread& Thread::operator=(Thread&& other) noexcept {
  if (this != &other) {
    join();
    handle_ = other.handle_;
    owner_ = std::exchange(other.owner_, 0);
  }
  return *this;
}

void Thread::join() noexcept {
  if (owner_ != 0 && owner_ == ::getpid()) {
    pthread_join(handle_, nullptr);
  }
  owner_ = 0;
}

}  // namespace tensorpool::inline v0::agents
