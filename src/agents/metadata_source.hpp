// What one producer says about itself: its name, its metadata set, its blobs. A part of OwnerAgent
// and of TenantAgent, which know when it is due and in which epoch. Spec: §1.18.
//
// Thread contract: whoever holds the client's control mutex.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agents/control_bus.hpp"
#include "core/metadata/blob_sender.hpp"
#include "core/metadata/producer_set.hpp"

namespace tensorpool::inline v0::agents {

class MetadataSource {
 public:
  struct Options {
    std::string name = {};
    std::string summary = {};
    MetadataLimits limits = {};
  };
  /// Who speaks, and in which epoch.
  struct Speaker {
    std::uint32_t stream_id = 0;
    std::uint32_t producer_id = 0;
    std::uint64_t epoch = 0;
  };

  explicit MetadataSource(Options options)
      : options_(std::move(options)),
        set_(options_.limits.max_attributes),
        blobs_({.blob_bytes_max = options_.limits.max_blob_bytes}) {}

  [[nodiscard]] Status set(std::vector<Attribute> attributes, const ControlBus& control,
                           Nanos now) {
    return set_.set(std::move(attributes), static_cast<std::uint64_t>(now.count()),
                    control.metadata_message_bytes_max());
  }
  [[nodiscard]] Status push_blob(std::uint32_t type, std::vector<std::byte> bytes) {
    return blobs_.push(set_.version(), type, std::move(bytes));
  }
  void begin_epoch() noexcept {
    set_.begin_epoch();
    blobs_.begin_epoch(set_.version());
  }

  /// 0 without a set.
  [[nodiscard]] std::uint32_t version() const noexcept { return set_.version(); }
  [[nodiscard]] bool has_anything() const noexcept {
    return version() != 0 || !options_.name.empty() || !options_.summary.empty();
  }
  [[nodiscard]] std::size_t blobs_pending() const noexcept { return blobs_.pending(); }

  /// Announces the source and then, if there is one, its set (W370). False when either has to be
  /// tried again.
  [[nodiscard]] bool announce(ControlBus& control, const Speaker& speaker) const;
  /// Sends some of what is left of the blobs. Returns the number of messages.
  int send_blobs(ControlBus& control, const Speaker& speaker);

 private:
  static constexpr int kBlobMessagesPerCycle = 16;

  Options options_;
  core::metadata::ProducerSet set_;
  core::metadata::BlobSender blobs_;
};

}  // namespace tensorpool::inline v0::agents
