#include "tensorpool/client.hpp"

#include "client/client_core.hpp"
#include "client/client_uri.hpp"
#include "client/consumer_core.hpp"
#include "client/metadata_reader_core.hpp"
#include "client/producer_core.hpp"

namespace tensorpool::inline v0 {

Client::Client(std::shared_ptr<detail::ClientCore> core) noexcept : core_(std::move(core)) {}
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&& other) noexcept {
  std::swap(core_, other.core_);
  return *this;
}

Client::~Client() {
  if (core_ == nullptr) {
    return;
  }
  if (core_->is_forked()) {
    // Threads, locks and Aeron belong to the parent: the copy is left as it is (design §9).
    static_cast<void>(new std::shared_ptr<detail::ClientCore>(std::move(core_)));
    return;
  }
  core_->stop();
}

Result<Client> Client::create(ClientOptions options) {
  Result<std::shared_ptr<detail::ClientCore>> core = detail::ClientCore::create(std::move(options));
  if (!core) {
    return fail(core.error());
  }
  return Client(std::move(*core));
}

Result<ClientOptions> ClientOptions::parse(std::string_view uri) {
  return detail::parse_client_uri(uri);
}

Result<Client> Client::connect(std::string_view uri) {
  Result<ClientOptions> options = ClientOptions::parse(uri);
  return options ? create(std::move(*options)) : fail(options.error());
}

Result<Producer> Client::create_producer(const StreamOptions& options) {
  if (core_->is_forked()) {
    return fail(Errc::kForked, "create_producer");
  }
  Result<detail::ProducerCore*> core = detail::ProducerCore::create(core_, options);
  if (!core) {
    return fail(core.error());
  }
  return Producer(*core);
}

Result<Consumer> Client::create_consumer(const ConsumerOptions& options) {
  if (core_->is_forked()) {
    return fail(Errc::kForked, "create_consumer");
  }
  Result<std::unique_ptr<detail::ConsumerCore>> core = detail::ConsumerCore::create(core_, options);
  if (!core) {
    return fail(core.error());
  }
  return Consumer(std::move(*core));
}

Result<MetadataReader> Client::create_metadata_reader(MetadataReaderOptions options) {
  if (core_->is_forked()) {
    return fail(Errc::kForked, "create_metadata_reader");
  }
  auto core = detail::MetadataReaderCore::create(core_, std::move(options));
  if (!core) {
    return fail(core.error());
  }
  return MetadataReader(std::move(*core));
}

std::vector<StreamInfo> Client::streams() const {
  if (core_->is_forked()) {
    return {};  // its lock may have been held by a thread that does not exist here
  }
  return core_->directory().list();
}
std::vector<Error> Client::refused_streams() const {
  return core_->is_forked() ? std::vector<Error>() : core_->directory().refused();
}
ConnectionState Client::connection() const noexcept {
  return core_->connection();
}
const std::string& Client::aeron_dir() const noexcept {
  return core_->aeron_dir();
}
int Client::do_work() noexcept {
  return core_->is_forked() ? 0 : core_->invoke();
}
std::uint64_t Client::late_calls() const noexcept {
  return core_->late_calls();
}
std::uint64_t Client::counters_refused() const noexcept {
  return core_->counters_refused();
}

}  // namespace tensorpool::inline v0
