// What the attach machine reported, as an event for the application. Spec: §2.20 (D311).
//
// Thread contract: free functions, any thread.
#pragma once

#include <string_view>

#include "core/attach/attach_machine.hpp"

namespace tensorpool::inline v0::agents {

/// Why there is no lease; `text` is what the driver said about it.
[[nodiscard]] Error error_of(const core::attach::AttachReport& report, std::string_view text);

/// `Event`: ProducerEvent or ConsumerEvent.
template <class Event>
[[nodiscard]] Event event_of(const core::attach::AttachReport& report, std::string_view text,
                             const core::attach::AttachMachine& machine) {
  using Kind = core::attach::AttachReport::Kind;
  Event event;
  event.stream_id = machine.stream_id();
  event.tries_again = report.tries_again;
  event.text = text;
  switch (report.kind) {
    case Kind::kAttached:
      event.kind = Event::Kind::kAttached;
      event.epoch = machine.grant().plan.epoch();
      break;
    case Kind::kLost:
      event.kind = Event::Kind::kLeaseLost;
      event.loss = report.loss;
      event.error = error_of(report, text);
      break;
    case Kind::kDetached:
      event.kind = Event::Kind::kDetached;
      break;
    case Kind::kRefused:
    case Kind::kProtocolError:
    case Kind::kTimedOut:
    case Kind::kInterrupted:
      event.kind = Event::Kind::kAttachFailed;
      event.error = error_of(report, text).in_stream(machine.stream_id());
      break;
  }
  return event;
}

}  // namespace tensorpool::inline v0::agents
