// The judges of producer_cases.hpp, one for each case of its list. Pure.
#pragma once

#include "apps/conform/producer_cases.hpp"

namespace tensorpool::inline v0::apps::conform::judges {

// judge_regions.cpp: announces, files, superblocks
Finding framing(const ProducerRecord& record);
Finding announce_period(const ProducerRecord& record);
Finding announce_content(const ProducerRecord& record);
Finding announce_time(const ProducerRecord& record);
Finding region_uris(const ProducerRecord& record);
Finding region_layout(const ProducerRecord& record);
Finding region_open(const ProducerRecord& record);
Finding region_mode(const ProducerRecord& record);
Finding superblock(const ProducerRecord& record);
Finding superblock_constant(const ProducerRecord& record);
Finding activity(const ProducerRecord& record);
Finding restart(const ProducerRecord& record);

// judge_frames.cpp: slots, commit words, descriptors
Finding slot_header(const ProducerRecord& record);
Finding slot_padding(const ProducerRecord& record);
Finding commit_word(const ProducerRecord& record);
Finding commit_before_descriptor(const ProducerRecord& record);
Finding descriptor_order(const ProducerRecord& record);
Finding descriptor_complete(const ProducerRecord& record);
Finding descriptor_fields(const ProducerRecord& record);
Finding first_frame(const ProducerRecord& record);

// judge_talk.cpp: QoS, registration, progress, metadata
Finding qos(const ProducerRecord& record);
Finding qos_content(const ProducerRecord& record);
Finding own_stream(const ProducerRecord& record);
Finding own_stream_given_up(const ProducerRecord& record);
Finding half_request(const ProducerRecord& record);
Finding foreign_channel(const ProducerRecord& record);
Finding without_shm(const ProducerRecord& record);
Finding long_block(const ProducerRecord& record);
Finding foreign_hello(const ProducerRecord& record);
Finding rate_limited(const ProducerRecord& record);
Finding progress(const ProducerRecord& record);
Finding metadata(const ProducerRecord& record);
Finding strange_messages(const ProducerRecord& record);

}  // namespace tensorpool::inline v0::apps::conform::judges
