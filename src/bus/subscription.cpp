#include "bus/subscription.hpp"

#include <aeronc.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "bus/session.hpp"

namespace tensorpool::inline v0::bus {
namespace {

// The frame header lies right before the bytes that a poll delivers; Aeron's public header gives
// its layout, with which its position is fixed too.
using FrameHeader = aeron_header_values_frame_t;
static_assert(sizeof(FrameHeader) == 32);

FrameHeader header_before(const std::uint8_t* data) noexcept {
  FrameHeader header;
  std::memcpy(&header, data - sizeof(FrameHeader), sizeof(FrameHeader));
  return header;
}

aeron_image_constants_t constants_of(aeron_image_t* image) noexcept {
  aeron_image_constants_t constants{};
  aeron_image_constants(image, &constants);  // all 0 for none
  return constants;
}

}  // namespace

void Subscription::adopt(std::shared_ptr<Session> session, AeronHandle* handle) noexcept {
  session_ = std::move(session);
  handle_ = handle;
  aeron_subscription_constants_t constants{};
  aeron_subscription_constants(handle_, &constants);
  registration_id_ = constants.registration_id;
}

Subscription::~Subscription() {
  // A lost client frees its subscriptions when it is closed.
  if (handle_ != nullptr && session_->may_call()) {
    aeron_subscription_close(handle_, nullptr, nullptr);
  }
}

int Subscription::poll_raw(RawHandler handler, void* context, std::size_t limit) noexcept {
  return aeron_subscription_poll(handle_, handler, context, limit);
}

bool Subscription::has_fragment() noexcept {
  bool found = false;
  aeron_subscription_controlled_poll(
      handle_,
      [](void* context, const std::uint8_t*, std::size_t, aeron_header_t*) {
        *static_cast<bool*>(context) = true;
        return AERON_ACTION_ABORT;  // it stays where it is
      },
      &found, 1);
  return found;
}

std::int32_t Subscription::session_of(const std::uint8_t* data) noexcept {
  return header_before(data).session_id;
}

FragmentAssembler::Fragment Subscription::fragment_at(const std::uint8_t* data,
                                                      std::size_t size) noexcept {
  const FrameHeader header = header_before(data);
  return {.session_id = header.session_id,
          .term_id = header.term_id,
          .term_offset = header.term_offset,
          .flags = header.flags,
          .bytes = {reinterpret_cast<const std::byte*>(data), size}};
}

bool Subscription::is_connected() const noexcept {
  return aeron_subscription_is_connected(handle_);
}

bool Subscription::is_closed() const noexcept {
  return aeron_subscription_is_closed(handle_);
}

const Subscription::JoinedImage* Subscription::find_image(std::int32_t session_id) const noexcept {
  const auto found = std::find_if(
      images_.begin(), images_.end(),
      [session_id](const JoinedImage& image) { return image.session_id == session_id; });
  return found == images_.end() ? nullptr : &*found;
}

std::optional<Nanos> Subscription::image_joined_at(std::int32_t session_id) const noexcept {
  const JoinedImage* const image = find_image(session_id);
  return image == nullptr ? std::nullopt : std::optional<Nanos>(image->at);
}

bool Subscription::may_be_old(std::int32_t session_id) const noexcept {
  const JoinedImage* const image = find_image(session_id);
  return image != nullptr && !image->drained && image->registration_id < registration_id_;
}

void Subscription::note_drained() noexcept {
  for (JoinedImage& image : images_) {
    image.drained = true;
  }
}

void Subscription::on_available(void* self, aeron_subscription_stct*,
                                aeron_image_stct* image) noexcept {
  auto& subscription = *static_cast<Subscription*>(self);
  const aeron_image_constants_t constants = constants_of(image);
  const std::int32_t session_id = constants.session_id;
  const Nanos now = subscription.clock_.now();
  std::erase_if(subscription.images_,
                [session_id](const JoinedImage& known) { return known.session_id == session_id; });
  subscription.images_.push_back({.session_id = session_id,
                                  .at = now,
                                  .registration_id = constants.correlation_id,
                                  .drained = false});
  subscription.events_.push_back({.session_id = session_id, .available = true, .at = now});
}

void Subscription::on_unavailable(void* self, aeron_subscription_stct*,
                                  aeron_image_stct* image) noexcept {
  auto& subscription = *static_cast<Subscription*>(self);
  const std::int32_t session_id = constants_of(image).session_id;
  std::erase_if(subscription.images_,
                [session_id](const JoinedImage& known) { return known.session_id == session_id; });
  subscription.events_.push_back(
      {.session_id = session_id, .available = false, .at = subscription.clock_.now()});
}

}  // namespace tensorpool::inline v0::bus
