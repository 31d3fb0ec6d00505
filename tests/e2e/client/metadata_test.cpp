// Metadata and blobs between clients, over a real media driver.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <complex>
#include <mutex>
#include <string>
#include <vector>

#include "client_fixture.hpp"
#include "raw_listener.hpp"
#include "raw_sender.hpp"
#include "support/requirement.hpp"

namespace tensorpool::test {
namespace {

[[nodiscard]] std::vector<Attribute> numbered(std::int64_t number) {
  return {Attribute::integer("n", number), Attribute::text("camera", "left")};
}

[[nodiscard]] std::vector<std::byte> pattern(std::size_t size, std::size_t salt) {
  std::vector<std::byte> bytes(size);
  for (std::size_t k = 0; k < size; ++k) {
    bytes[k] = static_cast<std::byte>(k * 2654435761U >> 13U ^ salt);
  }
  return bytes;
}

/// Keeps what a consumer is told of blobs.
class BlobLog {
 public:
  [[nodiscard]] auto sink() {
    return [this](MetadataBlob blob) {
      const std::lock_guard lock(mutex_);
      blobs_.push_back(std::move(blob));
    };
  }
  [[nodiscard]] std::vector<MetadataBlob> all() const {
    const std::lock_guard lock(mutex_);
    return blobs_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<MetadataBlob> blobs_;
};

class Metadata : public ClientTest {
 protected:
  /// Waits until the consumer has the set with that number.
  [[nodiscard]] static bool has_number(const Consumer& consumer, std::int64_t number) {
    return eventually([&] {
      const auto set = consumer.metadata();
      return set != nullptr && set->integer("n") == number;
    });
  }
};

TEST_F(Metadata, a_late_joiner_gets_the_set) {
  TP_REQ("W371", "W376");
  Client client = connect();
  Producer producer = produce(client, stream());
  ASSERT_TRUE(producer.set_metadata(numbered(4)));
  ASSERT_TRUE(producer.set_metadata(numbered(5)));
  Client late = connect();
  const Consumer consumer = consume(late, reader());
  ASSERT_TRUE(has_number(consumer, 5));
  const auto set = consumer.metadata();
  EXPECT_EQ(set->stream_id, producer.stream_id());
  EXPECT_EQ(set->epoch, producer.epoch());
  EXPECT_EQ(set->version, 2U);
  EXPECT_EQ(set->text("camera"), "left");
}

TEST_F(Metadata, announce_and_then_the_set_go_out_at_a_change_and_every_period) {
  TP_REQ("W370", "W371");
  Client client = connect();
  StreamOptions nameless = stream("");
  nameless.stream_id = 10000;
  Producer producer = produce(client, nameless);
  RawListener metadata(client.aeron_dir(), kMetadataStream);
  ASSERT_TRUE(producer.set_metadata(numbered(1)));
  std::string heard;
  ASSERT_TRUE(eventually([&] {
    metadata.hear_any([&](const codec::Message900& message) {
      if (const auto* const announce = std::get_if<layout::DataSourceAnnounce>(&message)) {
        heard += "a" + std::to_string(announce->meta_version) + " ";
        EXPECT_EQ(announce->epoch, producer.epoch());
      } else if (const auto* const set = std::get_if<layout::DataSourceMeta>(&message)) {
        heard += "s" + std::to_string(set->meta_version) + " ";
        EXPECT_EQ(set->attributes.size(), 2U);
      }
    });
    return heard.size() >= 18;
  }));
  EXPECT_EQ(heard.substr(0, 18), "a1 s1 a1 s1 a1 s1 ");
}

TEST_F(Metadata, frames_carry_the_version_that_was_current_when_they_were_committed) {
  TP_REQ("W375", "W192");
  Client client = connect();
  Producer producer = produce(client, stream());
  Consumer consumer = consume(client, reader());
  RawListener descriptors(client.aeron_dir(), kDescriptorStream);
  ASSERT_TRUE(joined(producer, consumer));
  publish(producer);
  auto claim = producer.claim(1000);
  ASSERT_TRUE(claim);
  ASSERT_TRUE(producer.set_metadata(numbered(1)));
  ASSERT_EQ(claim->commit(info()), CommitStatus::kCommitted);
  ASSERT_TRUE(producer.set_metadata(numbered(2)));
  publish(producer);
  ASSERT_TRUE(has_number(consumer, 2));
  std::vector<std::optional<std::uint32_t>> in_slots;
  std::vector<std::optional<std::int64_t>> numbers;
  ASSERT_TRUE(eventually([&] {
    consumer.poll([&](const FrameView& frame) {
      in_slots.push_back(frame.meta_version());
      const auto set = frame.meta();
      numbers.push_back(set == nullptr ? std::nullopt : set->integer("n"));
    });
    return in_slots.size() == 3;
  }));
  using Versions = std::vector<std::optional<std::uint32_t>>;
  EXPECT_EQ(in_slots, (Versions{std::nullopt, 1, 2}));
  EXPECT_EQ(numbers, (std::vector<std::optional<std::int64_t>>{std::nullopt, 1, 2}));
  Versions in_descriptors;
  ASSERT_TRUE(eventually([&] {
    descriptors.hear<layout::FrameDescriptor>(
        [&](const auto& descriptor) { in_descriptors.push_back(descriptor.meta_version); });
    return in_descriptors.size() == 3;
  }));
  EXPECT_EQ(in_descriptors, (Versions{std::nullopt, 1, 2}));
}

TEST_F(Metadata, a_frame_that_was_kept_finds_the_set_of_its_time) {
  TP_REQ("W375");
  Client client = connect();
  Producer producer = produce(client, stream());
  std::optional<Consumer> consumer(consume(client, reader()));
  ASSERT_TRUE(joined(producer, *consumer));
  ASSERT_TRUE(producer.set_metadata(numbered(1)));
  publish(producer);
  const auto view = wait_next(*consumer);
  ASSERT_TRUE(view);
  const FrameLease lease = view->keep();
  ASSERT_TRUE(has_number(*consumer, 1));
  ASSERT_TRUE(producer.set_metadata(numbered(2)));
  ASSERT_TRUE(has_number(*consumer, 2));
  consumer.reset();
  ASSERT_NE(lease.meta(), nullptr);
  EXPECT_EQ(lease.meta()->integer("n"), 1);
}

TEST_F(Metadata, a_frame_whose_set_has_not_arrived_is_delivered_at_once) {
  TP_REQ("W382");
  Client client = connect();
  Producer producer = produce(client, stream());
  ASSERT_TRUE(producer.set_metadata(numbered(1)));
  ClientOptions deaf = options();
  deaf.channels.metadata_stream_id = 2300;  // where no metadata come
  Result<Client> other = Client::create(deaf);
  ASSERT_TRUE(other);
  ConsumerOptions by_number = reader();
  by_number.name = "";
  by_number.stream_id = producer.stream_id();
  Consumer consumer = consume(*other, by_number);
  ASSERT_TRUE(joined(producer, consumer));
  publish(producer);
  const auto view = wait_next(consumer);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->meta_version(), 1U);
  EXPECT_EQ(view->meta(), nullptr);
  EXPECT_TRUE(view->still_valid());
  EXPECT_EQ(consumer.metadata(), nullptr);
}

TEST_F(Metadata, a_set_that_fits_into_no_message_is_refused_and_nothing_changes) {
  TP_REQ("W374");
  Client client = connect();
  Producer producer = produce(client, stream());
  ASSERT_TRUE(producer.set_metadata(numbered(1)));
  const Attribute large =
      Attribute::bytes("lut", "application/octet-stream", pattern(512 << 10, 0));
  const Status refused = producer.set_metadata({large});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kMetadataTooLarge);
  EXPECT_EQ(refused.error().stream_id, producer.stream_id());
  Attribute fits = large;
  fits.value.resize(500 << 10);
  ASSERT_TRUE(producer.set_metadata({fits, Attribute::integer("n", 2)}));
  const Consumer consumer = consume(client, reader());
  ASSERT_TRUE(has_number(consumer, 2));
  EXPECT_EQ(consumer.metadata()->version, 2U);
  EXPECT_EQ(consumer.metadata()->find("lut")->value, fits.value);
}

TEST_F(Metadata, a_malformed_set_is_counted_and_leaves_no_trace) {
  TP_REQ("W381");
  Client client = connect();
  Producer producer = produce(client, stream());
  ASSERT_TRUE(producer.set_metadata(numbered(1)));
  ConsumerOptions options = reader();
  options.metadata.max_attributes = 2;
  Consumer consumer = consume(client, options);
  ASSERT_TRUE(joined(producer, consumer));
  ASSERT_TRUE(has_number(consumer, 1));
  RawSender sender(client.aeron_dir());
  layout::DataSourceMeta message;
  message.stream_id = producer.stream_id();
  message.meta_version = 7;
  const std::vector<layout::MetaAttribute> unnamed(1);
  message.attributes = layout::ListView<layout::MetaAttribute>(unnamed.data(), 1);
  sender.send_message(kMetadataStream, message);
  const std::vector<layout::MetaAttribute> many(3, layout::MetaAttribute{.key = "k"});
  message.attributes = layout::ListView<layout::MetaAttribute>(many.data(), 3);
  sender.send_message(kMetadataStream, message);
  ASSERT_TRUE(eventually([&] { return consumer.counters().malformed_messages == 2; }));
  EXPECT_EQ(consumer.metadata()->version, 1U);
}

TEST_F(Metadata, blobs_arrive_whole_and_in_order) {
  TP_REQ("W383", "W384", "W385", "W388", "W389", "W392");
  Client client = connect();
  Client other = connect();
  Producer producer = produce(client, stream());
  BlobLog log;
  ConsumerOptions options = reader();
  options.on_blob = log.sink();
  Consumer consumer = consume(other, options);
  ASSERT_TRUE(producer.set_metadata(numbered(1)));
  ASSERT_TRUE(has_number(consumer, 1));
  const std::vector<std::vector<std::byte>> sent = {
      pattern((5 << 20) + 3, 1), {}, pattern(70'000, 2)};
  for (std::size_t k = 0; k < sent.size(); ++k) {
    ASSERT_TRUE(producer.send_blob(static_cast<std::uint32_t>(40 + k), sent[k]));
  }
  ASSERT_TRUE(eventually([&] { return log.all().size() == sent.size(); }));
  const std::vector<MetadataBlob> got = log.all();
  for (std::size_t k = 0; k < sent.size(); ++k) {
    EXPECT_EQ(got[k].stream_id, producer.stream_id());
    EXPECT_EQ(got[k].version, 1U);
    EXPECT_EQ(got[k].type, 40 + k);
    EXPECT_TRUE(got[k].bytes == sent[k]) << "blob " << k;
  }
  EXPECT_TRUE(eventually([&] { return producer.blobs_pending() == 0; }));
}

TEST_F(Metadata, an_interrupted_blob_is_discarded) {
  TP_REQ("W386", "W387", "W392");
  Client client = connect();
  Producer producer = produce(client, stream());
  BlobLog log;
  ConsumerOptions options = reader();
  options.on_blob = log.sink();
  Consumer consumer = consume(client, options);
  ASSERT_TRUE(joined(producer, consumer));
  // One sender, so that its messages arrive in this order.
  RawSender sender(client.aeron_dir());
  const std::uint32_t id = producer.stream_id();
  const std::vector<std::byte> half = pattern(10, 3);
  const auto announce = [&](std::uint32_t type, std::uint64_t total_len) {
    sender.send_message(
        kMetadataStream,
        layout::MetaBlobAnnounce{
            .stream_id = id, .meta_version = 9, .blob_type = type, .total_len = total_len});
  };
  const auto send_half = [&](std::uint64_t offset) {
    layout::MetaBlobChunk chunk;
    chunk.stream_id = id;
    chunk.meta_version = 9;
    chunk.chunk_offset = offset;
    chunk.bytes = layout::Bytes(half.data(), half.size());
    sender.send_message(kMetadataStream, chunk);
  };
  const auto complete = [&] {
    sender.send_message(kMetadataStream,
                        layout::MetaBlobComplete{.stream_id = id, .meta_version = 9});
  };
  announce(1, 20);
  send_half(0);
  announce(2, 10);  // in the middle of the first
  send_half(0);
  complete();
  send_half(10);  // as if it went on
  complete();
  announce(3, 20);
  send_half(0);
  complete();  // too early
  announce(4, 0);
  complete();
  ASSERT_TRUE(eventually([&] { return log.all().size() == 2; }));
  EXPECT_EQ(log.all()[0].type, 2U);
  EXPECT_EQ(log.all()[0].bytes, half);
  EXPECT_EQ(log.all()[1].type, 4U);
}

TEST_F(Metadata, a_reader_of_metadata_hears_sets_and_blobs_and_maps_nothing) {
  TP_REQ("W376", "W386");
  Client client = connect();
  Producer producer = produce(client, stream());
  BlobLog log;
  std::atomic<int> sets{0};
  Result<MetadataReader> sut = client.create_metadata_reader(
      {.name = "cam1", .on_metadata = [&](const MetadataSet&) { ++sets; }, .on_blob = log.sink()});
  ASSERT_TRUE(sut);
  ASSERT_TRUE(producer.set_metadata(numbered(1)));
  ASSERT_TRUE(eventually([&] { return sut->latest() != nullptr; }));
  EXPECT_EQ(sut->latest()->integer("n"), 1);
  EXPECT_GE(sets.load(), 1);
  ASSERT_TRUE(producer.send_blob(1, pattern(100, 1)));
  EXPECT_TRUE(eventually([&] { return log.all().size() == 1; }));
  EXPECT_FALSE(producer.has_subscribers());
  const Result<MetadataReader> nothing = client.create_metadata_reader({});
  ASSERT_FALSE(nothing);
  EXPECT_EQ(nothing.error().code, Errc::kInvalidArgument);
}

TEST_F(Metadata, says_what_elements_are_that_the_wire_has_no_type_for) {
  using Complex = std::complex<float>;
  Client client = connect();
  Producer producer = produce(client, stream());
  Consumer consumer = consume(client, reader());
  ASSERT_TRUE(joined(producer, consumer));
  const std::vector<Complex> field = {{1, 2}, {3, 4}, {5, 6}, {7, 8}, {9, 10}, {11, 12}};
  const auto publish_field = [&] {
    return producer.publish(carrier_info<Complex>({2, 3}), std::as_bytes(std::span(field)));
  };
  ASSERT_EQ(publish_field(), PublishStatus::kPublished);
  const std::optional<FrameView> untold = wait_next(consumer);
  ASSERT_TRUE(untold);
  EXPECT_EQ(untold->as<Complex>().error().code, Errc::kDtypeMismatch);

  ASSERT_TRUE(producer.set_metadata({Attribute::text(std::string(kDtypeAttribute), "complex64")}));
  ASSERT_TRUE(eventually([&] { return consumer.metadata() != nullptr; }));
  ASSERT_EQ(publish_field(), PublishStatus::kPublished);
  const std::optional<FrameView> told = wait_next(consumer);
  ASSERT_TRUE(told);
  const auto view = told->as<Complex>();
  ASSERT_TRUE(view) << describe(view.error());
  EXPECT_EQ(view->ndims(), 2U);
  EXPECT_EQ(view->size(), 6U);
  EXPECT_EQ((*view)(1, 2), Complex(11, 12));
  EXPECT_TRUE(told->still_valid());
  EXPECT_EQ(told->as<std::complex<double>>().error().code, Errc::kDtypeMismatch);
  EXPECT_EQ(told->as<Float16>().error().code, Errc::kDtypeMismatch);
  EXPECT_TRUE(told->keep().as<Complex>());
}

}  // namespace
}  // namespace tensorpool::test
