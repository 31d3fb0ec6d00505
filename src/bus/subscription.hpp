// hot-path: poll is one call into Aeron and one indirect call per fragment. No allocation, no lock,
// no system call, no clock.
//
// A subscription, polled in batches.
//
// Thread contract. poll, poll_messages and is_connected: one data thread (each of them tells Aeron
// which image lists may be freed, so a second thread would free a list under the first). is_closed
// and the constants: any thread. Images, their events and join times: the control thread, from
// which they come (Client::do_work).
// Construction (Client::begin_add_subscription) and destruction: the control thread, when the data
// thread uses it no more; Handoff arranges that.
//
// After the media driver is lost every call stays safe: poll finds nothing. Spec: W73, W219, W437.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <type_traits>
#include <vector>

#include "bus/aeron_fwd.hpp"
#include "bus/fragment_assembler.hpp"
#include "tensorpool/types/error.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::bus {

class Session;
template <class T>
class Pending;

/// One fragment, or one whole message, in place. Valid inside the handler only.
struct Message {
  std::span<const std::byte> bytes;
  std::int32_t session_id;  ///< Of the image that brought it.
};

struct ImageEvent {
  std::int32_t session_id;
  bool available;  ///< False: the image went away.
  Nanos at;        ///< `now` of the Client::do_work that learned of it.
};

class Subscription {
 public:
  using AeronHandle = aeron_subscription_stct;

  Subscription(const Subscription&) = delete;
  Subscription& operator=(const Subscription&) = delete;
  ~Subscription();

  /// Calls `handler(const Message&) noexcept` for at most `limit` fragments, as they are: for
  /// streams whose messages fit one fragment. Returns how many there were.
  template <class Handler>
  int poll(Handler&& handler, std::size_t limit) noexcept {
    return poll_raw(&on_fragment<std::remove_reference_t<Handler>>, &handler, limit);
  }

  /// The same with fragments put together into whole messages (W73). Counts fragments.
  template <class Handler>
  int poll_messages(Handler&& handler, std::size_t limit) noexcept {
    auto whole = [this, &handler](const std::uint8_t* data, std::size_t size) noexcept {
      const FragmentAssembler::Fragment fragment = fragment_at(data, size);
      const std::span<const std::byte> message = assembler_.add(fragment);
      if (message.data() != nullptr) {
        handler(Message{.bytes = message, .session_id = fragment.session_id});
      }
    };
    return poll_raw(&on_bytes<decltype(whole)>, &whole, limit);
  }

  /// True when a fragment waits to be polled; leaves it there. Data thread.
  [[nodiscard]] bool has_fragment() noexcept;

  [[nodiscard]] std::size_t image_count() const noexcept { return images_.size(); }
  /// True while at least one publication is there, as the data thread sees it.
  [[nodiscard]] bool is_connected() const noexcept;
  /// True when the subscription cannot deliver any more: its media driver is gone.
  [[nodiscard]] bool is_closed() const noexcept;
  [[nodiscard]] bool is_untethered() const noexcept { return untethered_; }
  [[nodiscard]] std::int32_t stream_id() const noexcept { return stream_id_; }

  /// When the image of this session became available, as long as it is (W219).
  [[nodiscard]] std::optional<Nanos> image_joined_at(std::int32_t session_id) const noexcept;

  /// True while messages of this session may have been sent before this subscription was added: a
  /// dead or stopped reader of a stream over IPC holds its place in the log, and whoever comes
  /// later begins there. Control thread.
  [[nodiscard]] bool may_be_old(std::int32_t session_id) const noexcept;
  /// A poll has found nothing: whatever comes from the present images from now on is new. Control
  /// thread.
  void note_drained() noexcept;

  /// Calls `handler(const ImageEvent&)` for each event since the last call, in order.
  template <class Handler>
  void drain_image_events(Handler&& handler) {
    std::vector<ImageEvent> events;
    events.swap(events_);
    for (const ImageEvent& event : events) {
      handler(event);
    }
  }

 private:
  friend class Client;
  template <class T>
  friend class Pending;
  using RawHandler = void (*)(void* context, const std::uint8_t* data, std::size_t size,
                              aeron_header_stct* header);

  Subscription(std::int32_t stream_id, bool untethered, const Session& session) noexcept
      : stream_id_(stream_id), untethered_(untethered), clock_(session) {}
  void adopt(std::shared_ptr<Session> session, AeronHandle* handle) noexcept;
  int poll_raw(RawHandler handler, void* context, std::size_t limit) noexcept;
  [[nodiscard]] static std::int32_t session_of(const std::uint8_t* data) noexcept;
  [[nodiscard]] static FragmentAssembler::Fragment fragment_at(const std::uint8_t* data,
                                                               std::size_t size) noexcept;
  static void on_available(void* self, aeron_subscription_stct* handle,
                           aeron_image_stct* image) noexcept;
  static void on_unavailable(void* self, aeron_subscription_stct* handle,
                             aeron_image_stct* image) noexcept;

  template <class Handler>
  static void on_fragment(void* context, const std::uint8_t* data, std::size_t size,
                          aeron_header_stct*) {
    (*static_cast<Handler*>(context))(Message{
        .bytes = {reinterpret_cast<const std::byte*>(data), size}, .session_id = session_of(data)});
  }
  template <class Handler>
  static void on_bytes(void* context, const std::uint8_t* data, std::size_t size,
                       aeron_header_stct*) {
    (*static_cast<Handler*>(context))(data, size);
  }

  struct JoinedImage {
    std::int32_t session_id;
    Nanos at;
    /// Of its publication; they rise in the order in which things are added to a media driver.
    std::int64_t registration_id;
    bool drained;
  };
  [[nodiscard]] const JoinedImage* find_image(std::int32_t session_id) const noexcept;

  AeronHandle* handle_ = nullptr;
  std::int64_t registration_id_ = 0;
  std::int32_t stream_id_;
  bool untethered_;
  FragmentAssembler assembler_;      // data thread
  std::vector<JoinedImage> images_;  // control thread, as are the events
  std::vector<ImageEvent> events_;
  const Session& clock_;
  std::shared_ptr<Session> session_;
};

}  // namespace tensorpool::inline v0::bus
