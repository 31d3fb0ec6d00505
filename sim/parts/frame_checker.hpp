// Never a mixed frame: what a consumer accepts is, word for word, what FrameContent says.
//
// Two verdicts belong to a frame. Its header was copied and checked before the consumer was called,
// so it has to be right at once. Its payload is read in place, so it counts only if the check after
// use says so.
#pragma once

#include <cstdint>
#include <string>

#include "core/consumer/frame.hpp"
#include "parts/frame_content.hpp"
#include "parts/sim_atom.hpp"
#include "parts/verdict.hpp"

namespace tensorpool::inline v0::sim {

using SimFrame = core::consumer::Frame<SimAtom>;

class FrameChecker {
 public:
  explicit FrameChecker(Verdict& verdict) noexcept : verdict_(&verdict) {}

  /// The header that a consumer was handed.
  void header(const SimFrame& frame, std::uint64_t epoch, const FrameContent& expected) {
    const TensorInfo& found = frame.tensor->info;
    const TensorInfo& wanted = expected.info();
    if (frame.epoch != epoch || frame.timestamp_ns != expected.timestamp_ns() ||
        frame.meta_version != expected.meta_version() || frame.payload.size() != expected.bytes() ||
        found.dtype != wanted.dtype || found.ndims != wanted.ndims || found.dims != wanted.dims) {
      fail("mixed header", frame.seq);
    }
  }

  /// Reads the payload in place, word by word. True when every word is right.
  [[nodiscard]] static bool payload(const SimFrame& frame, const FrameContent& expected) noexcept {
    bool right = true;
    const std::size_t words = std::min(frame.payload.size() / 8, std::size_t{expected.words()});
    for (std::uint32_t k = 0; k < words; ++k) {
      std::uint64_t word = 0;
      SimCopier::out(reinterpret_cast<std::byte*>(&word), frame.payload.data() + k * 8, 8);
      right = right && word == expected.word(k);
    }
    return right;
  }

  /// The check after use of frame `seq`, and what its payload really was.
  void after_use(std::uint64_t seq, bool payload_right, bool said_unchanged) {
    if (said_unchanged && !payload_right) {
      fail("mixed payload", seq);
    }
    if (!payload_right) {
      TP_MARK("a mixed payload is read, and refused after use");
    }
  }

 private:
  void fail(const char* what, std::uint64_t seq) {
    verdict_->fail(Failure::kSafety,
                   std::string(what) + " accepted in frame " + std::to_string(seq));
  }

  Verdict* verdict_;
};

}  // namespace tensorpool::inline v0::sim
