#include "apps/top/view_json.hpp"

#include <nlohmann/json.hpp>

#include "apps/counters.hpp"

namespace tensorpool::inline v0::apps::top {
namespace {

using Json = nlohmann::ordered_json;

template <class T>
[[nodiscard]] Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}
[[nodiscard]] Json or_null(const std::optional<Nanos>& value) {
  return value ? Json(value->count()) : Json();
}
[[nodiscard]] Json text_or_null(const std::string& text) {
  return text.empty() ? Json() : Json(text);
}
[[nodiscard]] Json number_or_null(std::uint64_t number) {
  return number == 0 ? Json() : Json(number);
}

void add_process(const ProcessShown& process, Json& json) {
  json["pid"] = number_or_null(process.pid);
  json["program"] = text_or_null(process.name);
  json["cpu"] = or_null(process.cpu);
}

void add_lease(const std::optional<LeaseShown>& lease, Json& json) {
  json["lease_id"] = lease ? Json(lease->lease_id) : Json();
  json["lease_expires_in_ns"] = lease ? Json(lease->expires_in.count()) : Json();
}

[[nodiscard]] Json megabytes(const std::optional<double>& bytes_per_second) {
  return bytes_per_second ? Json(*bytes_per_second / 1e6) : Json();
}

}  // namespace

Json to_json(const ConsumerRow& row) {
  Json json = {{"stream_id", row.stream_id}, {"consumer_id", row.client_id}};
  add_process(row.process, json);
  json["rate_hz"] = or_null(row.hz);
  json["throughput_mb_per_s"] = megabytes(row.bytes_per_second);
  json["age_ns"] = or_null(row.age);
  json["polled_ago_ns"] = or_null(row.last_seen);
  json["behind_frames"] = or_null(row.behind);
  json["margin"] = or_null(row.margin);
  json["lost_frames"] = or_null(row.lost);
  json["lost_hz"] = or_null(row.lost_per_second);
  json["slow"] = text_or_null(row.trouble);
  add_lease(row.lease, json);
  json["wake_mode"] = row.ways ? Json(core::telemetry::to_string(row.ways->waits)) : Json();
  json["state"] = row.ways ? Json(to_string(row.ways->state)) : Json();
  json["direct"] = row.ways ? Json(row.ways->direct) : Json();
  const bool limited = row.ways && row.ways->mode == layout::Mode::kRateLimited;
  json["max_rate_hz"] = limited ? number_or_null(row.ways->max_rate_hz) : Json();
  if (!row.reading) {
    json["epoch"] = nullptr;
    json["counters"] = nullptr;
    return json;
  }
  json["epoch"] = number_or_null(row.reading->epoch);
  json["last_seq"] = row.reading->last_seq;
  json["own_descriptor_stream_id"] = number_or_null(row.reading->own_descriptor_stream);
  json["own_control_stream_id"] = number_or_null(row.reading->own_control_stream);
  json["counters"] = counters_json(static_cast<const ConsumerCounters&>(*row.reading));
  return json;
}

Json to_json(const StreamRow& row) {
  Json json = {{"stream_id", row.stream_id}, {"name", text_or_null(row.name)}};
  json["epoch"] = or_null(row.epoch);
  json["producer_id"] = or_null(row.producer_id);
  add_process(row.process, json);
  json["rate_hz"] = or_null(row.hz);
  json["throughput_mb_per_s"] = megabytes(row.bytes_per_second);
  json["interval_p50_ns"] = or_null(row.p50);
  json["interval_p99_ns"] = or_null(row.p99);
  json["interval_max_ns"] = or_null(row.max);
  json["age_ns"] = or_null(row.age);
  json["newest_seq"] = or_null(row.newest_seq);
  json["slots"] = number_or_null(row.nslots);
  json["depth_ns"] = or_null(row.depth);
  json["margin"] = or_null(row.margin());
  json["lost_frames"] = row.lost();
  json["lost_hz"] = row.lost_per_second();
  add_lease(row.lease, json);
  json["ring"] = text_or_null(row.ring);
  json["counters"] =
      row.reading ? counters_json(static_cast<const ProducerCounters&>(*row.reading)) : Json();
  json["consumers"] = Json::array();
  for (const ConsumerRow& consumer : row.consumers) {
    json["consumers"].push_back(to_json(consumer));
  }
  return json;
}

Json to_json(const View& view) {
  Json json = {{"v", 1}, {"streams", Json::array()}};
  for (const StreamRow& row : view.streams) {
    json["streams"].push_back(to_json(row));
  }
  json["rate_hz"] = view.hz;
  json["throughput_mb_per_s"] = view.bytes_per_second / 1e6;
  json["lost_hz"] = view.lost_per_second;
  json["slow"] = view.slow;
  json["notes"] = view.notes;
  return json;
}

}  // namespace tensorpool::inline v0::apps::top
