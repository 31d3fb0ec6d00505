#include "agents/metadata_receiver.hpp"

#include <utility>

#include "agents/stream_directory.hpp"

namespace tensorpool::inline v0::agents {

using core::metadata::BlobReceiver;
using core::metadata::SetStore;

MetadataReceiver::MetadataReceiver(Options options) : options_(std::move(options)) {
  if (options_.stream_id != 0) {
    begin(options_.stream_id);
  }
}

void MetadataReceiver::begin(std::uint32_t stream_id) {
  options_.stream_id = stream_id;
  sets_.emplace(SetStore::Options{.stream_id = stream_id,
                                  .liveness_timeout = options_.liveness_timeout,
                                  .attributes_max = options_.limits.max_attributes});
  if (options_.on_blob) {
    blobs_.emplace(BlobReceiver::Options{.stream_id = stream_id,
                                         .blob_bytes_max = options_.limits.max_blob_bytes,
                                         .timeout = options_.limits.blob_timeout});
  }
}

void MetadataReceiver::do_work(const StreamDirectory& directory, Nanos now) {
  if (!sets_ && !options_.name.empty()) {
    if (const std::optional<std::uint32_t> found = directory.find(options_.name)) {
      begin(*found);
    }
  }
  if (blobs_) {
    blobs_->poll(now);
  }
}

void MetadataReceiver::on_data_source(const layout::DataSourceAnnounce& announce,
                                      const base::Now& now) {
  if (sets_ && sets_->on_announce(announce, now.mono) == SetStore::Verdict::kCleared) {
    history_->clear();
  }
}

void MetadataReceiver::on_metadata(const layout::DataSourceMeta& message, const base::Now&) {
  if (!sets_) {
    return;
  }
  const SetStore::Verdict verdict = sets_->on_set(message);
  if (verdict == SetStore::Verdict::kMalformed) {
    ++malformed_;
  } else if (verdict == SetStore::Verdict::kStored) {
    history_->put(sets_->current());
    if (options_.on_metadata) {
      options_.on_metadata(*sets_->current());
    }
  }
}

void MetadataReceiver::on_blob_announce(const layout::MetaBlobAnnounce& message,
                                        const base::Now& now) {
  if (blobs_) {
    blobs_->on_announce(message, now.mono);
  }
}

void MetadataReceiver::on_blob_chunk(const layout::MetaBlobChunk& message, const base::Now& now) {
  if (blobs_) {
    blobs_->on_chunk(message, now.mono);
  }
}

void MetadataReceiver::on_blob_complete(const layout::MetaBlobComplete& message, const base::Now&) {
  MetadataBlob blob;
  if (blobs_ && blobs_->on_complete(message, blob) == BlobReceiver::Verdict::kDelivered) {
    options_.on_blob(std::move(blob));
  }
}

}  // namespace tensorpool::inline v0::agents
