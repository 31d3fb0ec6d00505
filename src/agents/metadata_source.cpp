#include "agents/metadata_source.hpp"

namespace tensorpool::inline v0::agents {

bool MetadataSource::announce(ControlBus& control, const Speaker& speaker) const {
  layout::DataSourceAnnounce message;
  message.stream_id = speaker.stream_id;
  message.producer_id = speaker.producer_id;
  message.epoch = speaker.epoch;
  message.meta_version = version();
  message.name = options_.name;
  message.summary = options_.summary;
  return control.send_metadata(message) &&
         (version() == 0 || control.send_metadata(set_.message(speaker.stream_id)));
}

int MetadataSource::send_blobs(ControlBus& control, const Speaker& speaker) {
  const std::size_t room = control.metadata_message_bytes_max();
  for (int sent = 0; sent < kBlobMessagesPerCycle; ++sent) {
    const auto message = blobs_.message(speaker.stream_id, room);
    if (!message ||
        !std::visit([&](const auto& body) { return control.send_metadata(body); }, *message)) {
      return sent;
    }
    blobs_.sent(*message);
  }
  return kBlobMessagesPerCycle;
}

}  // namespace tensorpool::inline v0::agents
