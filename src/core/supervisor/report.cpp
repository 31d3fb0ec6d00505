#include "core/supervisor/report.hpp"

#include <chrono>

namespace tensorpool::inline v0::core::supervisor {
namespace {

[[nodiscard]] std::string silence_text(const Report& report) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(report.silence).count();
  return "silent for " + std::to_string(ms) + " ms";
}

[[nodiscard]] std::string what_happened(const Report& report) {
  const std::string producer = "producer " + std::to_string(report.id);
  const std::string consumer = "consumer " + std::to_string(report.id);
  switch (report.kind) {
    case Report::Kind::kProducerCame:
      return producer + " has come";
    case Report::Kind::kProducerStale:
      return producer + " is stale: " + silence_text(report);
    case Report::Kind::kProducerBack:
      return producer + " is back";
    case Report::Kind::kConsumerCame:
      return consumer + " has come";
    case Report::Kind::kConsumerStale:
      return consumer + " is stale, and forgotten: " + silence_text(report);
    case Report::Kind::kConsumerLoses:
      return consumer + " has lost " + std::to_string(report.drops_gap + report.drops_late) +
             " frames more (" + std::to_string(report.drops_gap) + " gap, " +
             std::to_string(report.drops_late) + " late)";
    case Report::Kind::kRegistryFull:
      return consumer + " is ignored, and perhaps others: supervisor.consumer_capacity is reached";
    case Report::Kind::kOtherResponder:
      break;
  }
  return consumer +
         " was told by somebody else as well: of supervisors, drivers with ranges of ids for "
         "consumers, and producers that answer hellos, one only may serve a stream";
}

}  // namespace

std::string to_text(const Report& report) {
  return "stream " + std::to_string(report.stream_id) + ": " + what_happened(report);
}

}  // namespace tensorpool::inline v0::core::supervisor
