#include "apps/verbs/pub/metadata_desk.hpp"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "admin/ask.hpp"
#include "apps/metadata_text.hpp"
#include "os/clock.hpp"
#include "os/directory.hpp"

namespace tensorpool::inline v0::apps::pub {
namespace {

constexpr Nanos kServePeriod = std::chrono::milliseconds(20);
constexpr int kListenTries = 20;

/// `attributes` with what the request sets, without what it removes.
[[nodiscard]] Result<std::vector<Attribute>> changed(std::vector<Attribute> attributes,
                                                     const admin::Request& request) {
  const auto find = [&attributes](std::string_view key) {
    return std::find_if(attributes.begin(), attributes.end(),
                        [key](const Attribute& one) { return one.key == key; });
  };
  for (const std::string& key : request.remove) {
    const auto found = find(key);
    if (found == attributes.end()) {
      return fail(Errc::kNotFound, "attribute " + key);
    }
    attributes.erase(found);
  }
  for (const std::string& text : request.set) {
    Result<Attribute> wanted = parse_attribute(text);
    if (!wanted) {
      return fail(wanted.error());
    }
    const auto found = find(wanted->key);
    if (found == attributes.end()) {
      attributes.push_back(std::move(*wanted));
    } else {
      *found = std::move(*wanted);
    }
  }
  return attributes;
}

/// The last publisher that ends removes the directory, maybe between our two steps: then once more.
[[nodiscard]] Result<admin::Server> listen_in_own_directory(const std::string& path,
                                                            admin::Handler& handler) {
  const std::filesystem::path directory = std::filesystem::path(path).parent_path();
  for (int tries = 1;; ++tries) {
    const Status made = os::ensure_private_directory(directory.native());
    Result<admin::Server> server = made ? admin::Server::listen(path, handler) : fail(made.error());
    if (server || server.error().code == Errc::kAlreadyExists || tries == kListenTries) {
      return server;
    }
  }
}

}  // namespace

Result<std::unique_ptr<MetadataDesk>> MetadataDesk::open(const std::string& aeron_dir,
                                                         std::uint32_t stream_id,
                                                         std::vector<Attribute> attributes) {
  const std::string path = admin::publisher_socket_path(aeron_dir, ::geteuid(), stream_id);
  std::unique_ptr<MetadataDesk> desk(new MetadataDesk(std::move(attributes)));
  Result<admin::Server> server = listen_in_own_directory(path, *desk);
  if (!server) {
    return fail(server.error());
  }
  desk->server_.emplace(std::move(*server));
  desk->ticker_.emplace(kServePeriod, [self = desk.get()] { self->serve(); });
  return desk;
}

MetadataDesk::~MetadataDesk() {
  ticker_.reset();
  if (!server_) {
    return;  // it was never open
  }
  const std::filesystem::path directory = std::filesystem::path(server_->path()).parent_path();
  server_.reset();
  ::rmdir(directory.c_str());  // unless others listen there
}

/// On the ticker's thread.
void MetadataDesk::serve() {
  std::vector<Answer> answers;
  {
    const std::scoped_lock lock(mutex_);
    answers.swap(answers_);
  }
  for (const auto& [ticket, text] : answers) {
    server_->finish(ticket, text);
  }
  server_->do_work(os::SystemClock().mono());
}

std::optional<std::string> MetadataDesk::answer(const admin::Request& request,
                                                const os::PeerCredentials& /*peer*/,
                                                admin::Ticket ticket) {
  if (request.operation != admin::Operation::kSetMetadata) {
    return admin::refusal(
        make_error(Errc::kInvalidArgument,
                   "op " + std::string(admin::to_string(request.operation)) + " of a publisher"));
  }
  const std::scoped_lock lock(mutex_);
  orders_.emplace_back(ticket, request);
  asked_.store(true, std::memory_order_relaxed);
  return std::nullopt;
}

void MetadataDesk::carry_out(Producer& producer) {
  const std::scoped_lock lock(mutex_);
  for (const auto& [ticket, request] : std::exchange(orders_, {})) {
    answers_.emplace_back(ticket, change(request, producer));
  }
  asked_.store(false, std::memory_order_relaxed);
}

std::string MetadataDesk::change(const admin::Request& request, Producer& producer) {
  Result<std::vector<Attribute>> wanted = changed(attributes_, request);
  if (!wanted) {
    return admin::refusal(wanted.error());
  }
  if (const Status set = producer.set_metadata(*wanted); !set) {
    return admin::refusal(set.error());
  }
  attributes_ = std::move(*wanted);
  nlohmann::ordered_json json = {{"v", 1}, {"ok", true}};
  json["attributes"] = nlohmann::ordered_json::object();
  for (const Attribute& one : attributes_) {
    json["attributes"][one.key] = value_json(one);
  }
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace tensorpool::inline v0::apps::pub
