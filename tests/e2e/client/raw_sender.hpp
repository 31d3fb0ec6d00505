// Sends whatever it is given on the streams of a client, as a peer that nobody trusts.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "codec/codec.hpp"
#include "e2e/bus/bus_fixture.hpp"

namespace tensorpool::test {

inline constexpr std::int32_t kControlStream = 1000;  // announces, too
inline constexpr std::int32_t kDescriptorStream = 1100;
inline constexpr std::int32_t kMetadataStream = 1300;

class RawSender {
 public:
  explicit RawSender(const std::string& aeron_dir) : client_(bus::testing::make_client(aeron_dir)) {
    EXPECT_TRUE(bus::testing::bring_up(client_));
  }

  /// Waits until somebody listens and the bytes are on their way.
  void send(std::int32_t stream_id, std::span<const std::byte> bytes) {
    auto& out = publications_[stream_id];
    if (out == nullptr) {
      auto made = bus::testing::wait_for(
          client_, client_.begin_add_publication(bus::testing::channel("aeron:ipc?term-length=4m"),
                                                 stream_id));
      ASSERT_TRUE(made.has_value()) << describe(made.error());
      out = std::move(*made);
    }
    Result<bus::OfferStatus> status{bus::OfferStatus::kError};
    ASSERT_TRUE(bus::testing::eventually([&] {
      client_.do_work(bus::testing::mono_now());
      status = out->offer(bytes);
      return status == bus::OfferStatus::kOk;
    })) << "stream "
        << stream_id << ", " << bytes.size() << " bytes, status "
        << (status ? static_cast<int>(*status) : -1);
  }
  template <class M>
  void send_message(std::int32_t stream_id, const M& message) {
    std::vector<std::byte> bytes(codec::encoded_size(message));
    ASSERT_TRUE(codec::encode(message, bytes).has_value());
    send(stream_id, bytes);
  }

 private:
  bus::Client client_;
  std::map<std::int32_t, std::unique_ptr<bus::ExclusivePublication>> publications_;
};

}  // namespace tensorpool::test
