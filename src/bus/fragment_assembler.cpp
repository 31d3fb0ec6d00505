#include "bus/fragment_assembler.hpp"

#include <algorithm>

namespace tensorpool::inline v0::bus {
namespace {

constexpr std::size_t kFrameHeaderBytes = 32;
constexpr std::size_t kFrameAlignment = 32;

std::int32_t offset_after(const FragmentAssembler::Fragment& fragment) noexcept {
  const std::size_t frame = kFrameHeaderBytes + fragment.bytes.size();
  const std::size_t aligned = (frame + kFrameAlignment - 1) / kFrameAlignment * kFrameAlignment;
  return fragment.term_offset + static_cast<std::int32_t>(aligned);
}

}  // namespace

std::span<const std::byte> FragmentAssembler::add(const Fragment& fragment) {
  const bool begins = (fragment.flags & kBegin) != 0;
  const bool ends = (fragment.flags & kEnd) != 0;
  if (begins && ends) {
    return fragment.bytes;
  }
  Builder* builder = begins ? &find_or_make(fragment.session_id) : find(fragment.session_id);
  if (builder == nullptr) {
    return {};
  }
  builder->used_at = ++uses_;
  if (begins) {
    builder->bytes.clear();
  } else if (builder->next_offset != fragment.term_offset || builder->term_id != fragment.term_id ||
             builder->bytes.size() + fragment.bytes.size() > kMessageBytesMax) {
    builder->next_offset = -1;
    return {};
  }
  builder->bytes.insert(builder->bytes.end(), fragment.bytes.begin(), fragment.bytes.end());
  builder->term_id = fragment.term_id;
  builder->next_offset = ends ? -1 : offset_after(fragment);
  return ends ? std::span<const std::byte>(builder->bytes) : std::span<const std::byte>();
}

FragmentAssembler::Builder* FragmentAssembler::find(std::int32_t session_id) noexcept {
  const auto found = std::find_if(
      builders_.begin(), builders_.end(),
      [session_id](const Builder& builder) { return builder.session_id == session_id; });
  return found == builders_.end() ? nullptr : &*found;
}

FragmentAssembler::Builder& FragmentAssembler::find_or_make(std::int32_t session_id) {
  if (Builder* found = find(session_id); found != nullptr) {
    return *found;
  }
  if (builders_.size() < kSessionsMax) {
    builders_.emplace_back();
  } else {
    const auto oldest =
        std::min_element(builders_.begin(), builders_.end(),
                         [](const Builder& a, const Builder& b) { return a.used_at < b.used_at; });
    *oldest = Builder{};
    std::swap(*oldest, builders_.back());
  }
  builders_.back().session_id = session_id;
  return builders_.back();
}

}  // namespace tensorpool::inline v0::bus
