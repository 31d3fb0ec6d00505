// Where a publisher takes changes of its attributes from other processes of its user: `tp meta set`
// asks over a socket like a driver's (docs/adr/0037), the publishing thread carries it out between
// two frames.
//
// Thread contract: `open`, `tend` and the end belong to the publishing thread; the socket is served
// by a thread of the desk.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "admin/server.hpp"
#include "apps/ticker.hpp"
#include "tensorpool/producer.hpp"

namespace tensorpool::inline v0::apps::pub {

class MetadataDesk final : private admin::Handler {
 public:
  /// `attributes`: what the stream has now. Errors: those of the directory and of the socket;
  /// kAlreadyExists where another process of this user publishes the stream.
  [[nodiscard]] static Result<std::unique_ptr<MetadataDesk>> open(
      const std::string& aeron_dir, std::uint32_t stream_id, std::vector<Attribute> attributes);
  /// Whoever still waits for an answer finds the connection closed.
  ~MetadataDesk() override;

  /// Carries out what was asked meanwhile. One load where nothing was.
  void tend(Producer& producer) {
    if (asked_.load(std::memory_order_relaxed)) {
      carry_out(producer);
    }
  }

 private:
  using Answer = std::pair<admin::Ticket, std::string>;

  explicit MetadataDesk(std::vector<Attribute> attributes) : attributes_(std::move(attributes)) {}
  [[nodiscard]] std::optional<std::string> answer(const admin::Request& request,
                                                  const os::PeerCredentials& peer,
                                                  admin::Ticket ticket) override;
  void serve();
  void carry_out(Producer& producer);
  [[nodiscard]] std::string change(const admin::Request& request, Producer& producer);

  std::vector<Attribute> attributes_;  // the publishing thread's
  std::atomic<bool> asked_{false};     // stands alone: what is asked is below the mutex
  std::mutex mutex_;
  std::vector<std::pair<admin::Ticket, admin::Request>> orders_;
  std::vector<Answer> answers_;
  std::optional<admin::Server> server_;  // the ticker's
  std::optional<Ticker> ticker_;         // ends before the server does
};

}  // namespace tensorpool::inline v0::apps::pub
