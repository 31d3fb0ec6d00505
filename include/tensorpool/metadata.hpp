// Reading the metadata of a stream without reading its frames. Spec: §1.18.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "tensorpool/export.hpp"
#include "tensorpool/types/metadata.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0 {

namespace detail {
class MetadataReaderCore;
}

struct MetadataReaderOptions {
  std::uint32_t stream_id = 0;  ///< 0: look `name` up
  std::string name = {};
  MetadataLimits limits = {};
  /// Silence after which an older epoch may be believed again (W378).
  Nanos liveness_timeout = std::chrono::seconds(5);
  /// Called on the thread that does the control work, for each set that is not the one before. May
  /// be empty. Must not call back into the library.
  std::function<void(const MetadataSet&)> on_metadata = {};
  /// Likewise, for each blob that has arrived whole. Without it blobs take no memory.
  std::function<void(MetadataBlob)> on_blob = {};
};

/// Hears what the producer of one stream tells about it: maps nothing, takes no lease. Made by
/// `Client::create_metadata_reader`. Consumers hear the same by themselves.
///
/// Thread contract: any thread.
class TENSORPOOL_EXPORT MetadataReader {
 public:
  MetadataReader(MetadataReader&&) noexcept;
  MetadataReader& operator=(MetadataReader&&) noexcept;
  ~MetadataReader();

  /// The newest set; null before any has arrived.
  [[nodiscard]] std::shared_ptr<const MetadataSet> latest() const;

 private:
  friend class Client;
  explicit MetadataReader(std::unique_ptr<detail::MetadataReaderCore> core) noexcept;
  std::unique_ptr<detail::MetadataReaderCore> core_;
};

}  // namespace tensorpool::inline v0
