// Metadata of a producer under a driver: they outlive its lease.
#include <gtest/gtest.h>

#include "driver_fixture.hpp"
#include "support/requirement.hpp"

namespace tensorpool::test {
namespace {

class TenantMetadata : public DriverTest {};

TEST_F(TenantMetadata, a_set_stays_in_force_in_the_next_epoch_as_version_1) {
  TP_REQ("W372", "W375", "W377");
  const Driver driver = start_driver();
  Client client = attach_client();
  Producer producer = tenant(client, stream());
  Consumer consumer = consume(client, reader());
  ASSERT_TRUE(joined(producer, consumer));
  ASSERT_TRUE(producer.set_metadata({Attribute::integer("n", 1)}));
  ASSERT_TRUE(producer.set_metadata({Attribute::integer("n", 2)}));
  publish(producer);
  const auto before = wait_next(consumer);
  ASSERT_TRUE(before);
  EXPECT_EQ(before->meta_version(), 2U);
  const std::uint64_t first_epoch = producer.epoch();

  revoke(producer_lease());
  ASSERT_TRUE(eventually([&] {
    return producer.publish(info(), payload_of(0)) == PublishStatus::kPublished &&
           producer.epoch() > first_epoch;
  }));
  std::optional<FrameView> after;
  ASSERT_TRUE(eventually([&] {
    after = consumer.next();
    return after && after->epoch() > first_epoch;
  }));
  EXPECT_EQ(after->meta_version(), 1U);
  ASSERT_TRUE(eventually([&] {
    const auto set = consumer.metadata();
    return set != nullptr && set->epoch == producer.epoch();
  }));
  EXPECT_EQ(consumer.metadata()->version, 1U);
  EXPECT_EQ(consumer.metadata()->integer("n"), 2);
}

TEST_F(TenantMetadata, a_set_made_before_there_is_a_lease_is_in_force_from_the_first_frame) {
  TP_REQ("W375", "W370");
  Client client = attach_client();
  Producer producer = produce(client, stream());
  ASSERT_TRUE(producer.set_metadata({Attribute::integer("n", 1)}));
  const Driver driver = start_driver();
  ASSERT_TRUE(producer.wait_attached(kPatience));
  Consumer consumer = consume(client, reader());
  ASSERT_TRUE(joined(producer, consumer));
  publish(producer);
  const auto view = wait_next(consumer);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->meta_version(), 1U);
  ASSERT_TRUE(eventually([&] { return consumer.metadata() != nullptr; }));
  EXPECT_EQ(consumer.metadata()->integer("n"), 1);
}

}  // namespace
}  // namespace tensorpool::test
