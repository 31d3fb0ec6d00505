#include "client/metadata_reader_core.hpp"
#include "tensorpool/metadata.hpp"

namespace tensorpool::inline v0 {

namespace detail {

Result<std::unique_ptr<MetadataReaderCore>> MetadataReaderCore::create(
    std::shared_ptr<ClientCore> client, MetadataReaderOptions options) {
  if (options.stream_id == 0 && options.name.empty()) {
    return fail(Errc::kInvalidArgument, "stream_id or name: give one of them");
  }
  if (options.stream_id != 0 && !layout::valid_stream_id(options.stream_id)) {
    return fail(Errc::kInvalidArgument, "stream_id", options.stream_id, layout::kStreamIdMax);
  }
  std::unique_ptr<MetadataReaderCore> core(new MetadataReaderCore(std::move(client)));
  core->agent_ = core->client_->add_metadata_reader({.stream_id = options.stream_id,
                                                     .name = std::move(options.name),
                                                     .liveness_timeout = options.liveness_timeout,
                                                     .limits = options.limits,
                                                     .on_metadata = std::move(options.on_metadata),
                                                     .on_blob = std::move(options.on_blob)});
  return core;
}

MetadataReaderCore::~MetadataReaderCore() {
  if (client_->is_forked()) {
    static_cast<void>(agent_.release());  // the parent's
    return;
  }
  client_->remove(std::move(agent_));
}

}  // namespace detail

MetadataReader::MetadataReader(std::unique_ptr<detail::MetadataReaderCore> core) noexcept
    : core_(std::move(core)) {}
MetadataReader::MetadataReader(MetadataReader&&) noexcept = default;
MetadataReader& MetadataReader::operator=(MetadataReader&&) noexcept = default;
MetadataReader::~MetadataReader() = default;

std::shared_ptr<const MetadataSet> MetadataReader::latest() const {
  return core_->latest();
}

}  // namespace tensorpool::inline v0
