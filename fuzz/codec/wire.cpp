// Any bytes as a message of each schema: refused, or decoded to something that encodes and decodes
// to itself, within memory proportional to the input.
#include <vector>

#include "codec/codec.hpp"
#include "harness/fuzz.hpp"

namespace tensorpool::codec {
namespace {

template <class M>
void check_stable(const M& message) {
  std::vector<std::byte> bytes(encoded_size(message));
  const auto size = encode(message, std::span(bytes));
  TP_FUZZ_CHECK(size.has_value());
  TP_FUZZ_CHECK(*size == bytes.size());
  Scratch scratch;
  TP_FUZZ_CHECK(decode<M>(bytes, scratch) == message);
}

template <class Variant>
int check(std::span<const std::byte> input) {
  Scratch scratch;
  const auto message = decode<Variant>(input, scratch);
  TP_FUZZ_CHECK(scratch.capacity() <= 8 * input.size());
  if (message) {
    std::visit([](const auto& decoded) { check_stable(decoded); }, *message);
  }
  return 0;
}

}  // namespace
}  // namespace tensorpool::codec

int fuzz_wire_900(std::span<const std::byte> input) {
  return tensorpool::codec::check<tensorpool::codec::Message900>(input);
}
int fuzz_wire_901(std::span<const std::byte> input) {
  return tensorpool::codec::check<tensorpool::codec::Message901>(input);
}
int fuzz_wire_902(std::span<const std::byte> input) {
  return tensorpool::codec::check<tensorpool::codec::Message902>(input);
}
int fuzz_wire_903(std::span<const std::byte> input) {
  return tensorpool::codec::check<tensorpool::codec::Message903>(input);
}
int fuzz_wire_904(std::span<const std::byte> input) {
  return tensorpool::codec::check<tensorpool::codec::Message904>(input);
}
int fuzz_wire_910(std::span<const std::byte> input) {
  return tensorpool::codec::check<tensorpool::codec::Message910>(input);
}
int fuzz_wire_shm(std::span<const std::byte> input) {
  return tensorpool::codec::check<tensorpool::codec::ShmMessage>(input);
}
