// Any text as an Aeron channel: refused with the reason, or accepted and then the same text again,
// also after it was put together from its parts.
#include <string>
#include <string_view>

#include "bus/channel.hpp"
#include "harness/fuzz.hpp"

int fuzz_aeron_channel(std::span<const std::byte> input) {
  using namespace tensorpool;
  const std::string_view text(reinterpret_cast<const char*>(input.data()), input.size());
  const Result<bus::Channel> channel = bus::Channel::parse(text);
  if (!channel) {
    TP_FUZZ_CHECK(channel.error().code == Errc::kInvalidArgument);
    TP_FUZZ_CHECK(!channel.error().subject_view().empty() || text.empty());
    return 0;
  }
  TP_FUZZ_CHECK(text.size() <= bus::kChannelBytesMax);
  TP_FUZZ_CHECK(channel->text() == text);
  TP_FUZZ_CHECK(!channel->transport_key().empty());
  const Result<bus::Channel> untethered = bus::Channel::parse(channel->untethered().text());
  TP_FUZZ_CHECK(untethered || text.size() + sizeof("|tether=false") > bus::kChannelBytesMax);
  TP_FUZZ_CHECK(!untethered || untethered->get("tether") == "false");
  return 0;
}
