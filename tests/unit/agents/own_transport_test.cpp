// Which streams a responder never grants to one consumer.
#include "agents/own_transport.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "support/consumer_messages.hpp"
#include "support/requirement.hpp"

namespace tensorpool::agents {
namespace {

using core::registration::Responder;

/// What a consumer of one stream gets that asks for `id`; 0: nothing.
[[nodiscard]] std::uint32_t granted(std::uint32_t id) {
  auto sut = Responder::create({.adds_publications = false,
                                .transport_of = own_transport,
                                .taken = {usual_descriptor_streams()}});
  EXPECT_TRUE(sut);
  sut->on_hello(test::asking(7, id), Nanos{1});
  const auto answer = sut->next_action();
  EXPECT_TRUE(answer.has_value());
  return answer ? answer->config.descriptor_stream_id : 0;
}

TEST(UsualDescriptorStreams, hold_the_shared_descriptors_of_every_stream) {
  TP_REQ("W306", "D299");
  for (std::uint32_t stream = 10'000; stream < 11'000; ++stream) {
    const std::int32_t shared = core::naming::descriptor_stream_id(stream);
    EXPECT_EQ(granted(static_cast<std::uint32_t>(shared)), 0U) << stream;
  }
}

TEST(UsualDescriptorStreams, hold_little_else) {
  for (const std::uint32_t id : {1099U, 2102U, 31'000U, 32'999U}) {
    EXPECT_EQ(granted(id), id);
  }
}

TEST(OwnTransport, is_ipc_whatever_its_parameters) {
  TP_REQ("W304", "W306");
  const Result<std::string> plain = own_transport("aeron:ipc");
  const Result<std::string> with_parameters = own_transport("aeron:ipc?term-length=64k");
  ASSERT_TRUE(plain);
  ASSERT_TRUE(with_parameters);
  EXPECT_EQ(*plain, *with_parameters);
  EXPECT_FALSE(own_transport("aeron:udp?endpoint=localhost:1"));
  EXPECT_FALSE(own_transport("rubbish"));
}

}  // namespace
}  // namespace tensorpool::agents
