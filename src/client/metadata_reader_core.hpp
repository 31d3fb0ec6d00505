// The inside of a MetadataReader. Thread contract: any thread.
#pragma once

#include <memory>

#include "agents/metadata_receiver.hpp"
#include "client/client_core.hpp"
#include "tensorpool/metadata.hpp"

namespace tensorpool::inline v0::detail {

class MetadataReaderCore {
 public:
  [[nodiscard]] static Result<std::unique_ptr<MetadataReaderCore>> create(
      std::shared_ptr<ClientCore> client, MetadataReaderOptions options);
  MetadataReaderCore(const MetadataReaderCore&) = delete;
  MetadataReaderCore& operator=(const MetadataReaderCore&) = delete;
  ~MetadataReaderCore();

  [[nodiscard]] std::shared_ptr<const MetadataSet> latest() const {
    return client_->is_forked() ? nullptr : agent_->history()->latest();
  }

 private:
  explicit MetadataReaderCore(std::shared_ptr<ClientCore> client) : client_(std::move(client)) {}

  std::shared_ptr<ClientCore> client_;
  std::unique_ptr<agents::MetadataReceiver> agent_;
};

}  // namespace tensorpool::inline v0::detail
