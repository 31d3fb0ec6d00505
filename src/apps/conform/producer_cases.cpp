#include "apps/conform/producer_cases.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <set>

#include "apps/conform/producer_judges.hpp"

namespace tensorpool::inline v0::apps::conform {
namespace {

constexpr Case<ProducerRecord> kCases[] = {
    {"framing", "W1 W72 W95 W97 W98",
     "writes each message with the listed header, version 1 and whole", judges::framing},
    {"announce-period", "W203 W211", "announces its regions every announce period",
     judges::announce_period},
    {"announce-content", "W7 W12 W35 W37 W39 W42 W206 W224 W409",
     "announces a possible geometry: slots, pools, strides, ids, epoch", judges::announce_content},
    {"announce-time", "W207 W208 W209", "stamps each announce anew with the clock that it declares",
     judges::announce_time},
    {"region-uris", "W91 W92 W107 W111 W115", "announces explicit absolute URIs, path first",
     judges::region_uris},
    {"region-layout", "W137 W138", "puts its files where the directory layout has them",
     judges::region_layout},
    {"region-open", "W4 W5 W148 W231 W441",
     "announces regions that exist, are large enough and have the announced superblock",
     judges::region_open},
    {"region-mode", "W149", "creates its files with mode 0660 or 0600", judges::region_mode},
    {"superblock", "W10 W12 W20 W22", "writes the superblock as listed", judges::superblock},
    {"superblock-constant", "W14", "changes nothing in a superblock but the activity",
     judges::superblock_constant},
    {"activity", "W15 W212 W424", "refreshes the activity of every region each announce period",
     judges::activity},
    {"slot-header", "W27 W32 W52 W53 W54 W55 W58 W59 W62 W68 W69 W70",
     "writes headers that every consumer takes", judges::slot_header},
    {"slot-padding", "W30 W56", "writes zeros where nothing is meant", judges::slot_padding},
    {"commit-word", "W25 W157 W158 W161", "keeps the commit words of a slot in order",
     judges::commit_word},
    {"commit-before-descriptor", "W157 W159", "sends a descriptor after the commit, never before",
     judges::commit_before_descriptor},
    {"descriptor-order", "W181 W189 W411", "sends descriptors of its epoch in rising order",
     judges::descriptor_order},
    {"descriptor-complete", "W187", "sends a descriptor for each committed frame",
     judges::descriptor_complete},
    {"descriptor-fields", "W162 W192 W196 W427",
     "fills descriptors and slots with the same version, and times that never fall",
     judges::descriptor_fields},
    {"first-frame", "W147 W178", "begins an epoch with an empty ring and frame 0",
     judges::first_frame},
    {"qos", "W394", "sends QosProducer every QoS interval", judges::qos},
    {"qos-content", "W395", "tells the next number to be assigned", judges::qos_content},
    {"own-stream", "W188 W297 W302 W310 W312 W313",
     "answers a request for a stream of one's own, the same each time, and serves it",
     judges::own_stream},
    {"own-stream-given-up", "W297 W321", "takes an own stream back that is given up",
     judges::own_stream_given_up},
    {"half-request", "W300 W301", "declines a request with a channel or an id alone",
     judges::half_request},
    {"foreign-channel", "W304", "declines channels to elsewhere", judges::foreign_channel},
    {"without-shm", "W298 W313", "answers a consumer without shared memory with useShm FALSE",
     judges::without_shm},
    {"long-block", "W80", "understands a hello with a longer block", judges::long_block},
    {"foreign-hello", "W295", "leaves hellos of other streams and of consumer 0 unanswered",
     judges::foreign_hello},
    {"rate-limited", "W335 W336", "thins the own stream of a rate-limited consumer",
     judges::rate_limited},
    {"progress", "W343 W344 W345", "sends progress only when wanted, and never backwards",
     judges::progress},
    {"metadata", "W370 W371 W372", "repeats its metadata, with versions from 1", judges::metadata},
    {"strange-messages", "W74 W75 W76 W78 W443", "goes on after messages that make no sense",
     judges::strange_messages},
    {"restart", "W141 W407", "has a higher epoch and new files after a restart", judges::restart},
};

}  // namespace

std::span<const Case<ProducerRecord>> producer_cases() noexcept {
  return kCases;
}

}  // namespace tensorpool::inline v0::apps::conform
