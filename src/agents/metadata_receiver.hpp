// Hears the metadata of one stream. Spec: §1.18. The machines that decide are
// core/metadata/set_store and core/metadata/blob_receiver.
//
// Thread contract: the control thread, except `history()`, which any thread may hold and ask.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "agents/control_bus.hpp"
#include "agents/metadata_history.hpp"
#include "core/metadata/blob_receiver.hpp"
#include "core/metadata/set_store.hpp"

namespace tensorpool::inline v0::agents {

class StreamDirectory;

class MetadataReceiver final : public ControlListener {
 public:
  struct Options {
    std::uint32_t stream_id = 0;  ///< 0: that of `name`, as soon as it is announced
    std::string name = {};
    Nanos liveness_timeout = std::chrono::seconds(5);
    MetadataLimits limits = {};
    std::function<void(const MetadataSet&)> on_metadata = {};
    /// Without it blobs are not put together.
    std::function<void(MetadataBlob)> on_blob = {};
  };

  explicit MetadataReceiver(Options options);

  /// The stream is known now.
  void begin(std::uint32_t stream_id);
  void do_work(const StreamDirectory& directory, Nanos now);

  void on_data_source(const layout::DataSourceAnnounce& announce, const base::Now& now) override;
  void on_metadata(const layout::DataSourceMeta& message, const base::Now& now) override;
  void on_blob_announce(const layout::MetaBlobAnnounce& message, const base::Now& now) override;
  void on_blob_chunk(const layout::MetaBlobChunk& message, const base::Now& now) override;
  void on_blob_complete(const layout::MetaBlobComplete& message, const base::Now& now) override;

  [[nodiscard]] std::uint32_t stream_id() const noexcept { return options_.stream_id; }
  [[nodiscard]] const std::shared_ptr<detail::MetadataHistory>& history() const noexcept {
    return history_;
  }
  /// Sets that were discarded as malformed (W381).
  [[nodiscard]] std::uint64_t malformed() const noexcept { return malformed_; }

 private:
  Options options_;
  std::shared_ptr<detail::MetadataHistory> history_ = std::make_shared<detail::MetadataHistory>();
  std::optional<core::metadata::SetStore> sets_;       // once the stream is known
  std::optional<core::metadata::BlobReceiver> blobs_;  // likewise, if somebody wants blobs
  std::uint64_t malformed_ = 0;
};

}  // namespace tensorpool::inline v0::agents
