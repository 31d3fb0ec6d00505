// Every function of the hot path, instantiated and nothing else: `nm -u` of this object shows what
// they need from outside.
#include "core/consumer/frame_receiver.hpp"
#include "core/producer/frame_writer.hpp"
#include "core/wake/wake_protocol.hpp"

namespace tensorpool::binary {

using Atom = base::FenceAtom;
using Writer = core::producer::FrameWriter<Atom>;
using Receiver = core::consumer::FrameReceiver<Atom>;
using Sink = core::consumer::Use (*)(const core::consumer::Frame<Atom>&) noexcept;

PublishStatus publish(Writer& writer, const TensorInfo& info, std::span<const std::byte> payload,
                      std::uint64_t timestamp_ns) noexcept {
  return writer.publish(info, payload, timestamp_ns);
}
PublishStatus claim(Writer& writer, std::size_t bytes, core::producer::OpenClaim& out) noexcept {
  return writer.claim(bytes, out);
}
CommitStatus commit(Writer& writer, const core::producer::OpenClaim& claim, const TensorInfo& info,
                    std::size_t bytes, std::uint64_t timestamp_ns) noexcept {
  return writer.commit(claim, info, bytes, timestamp_ns);
}
bool abort(Writer& writer, const core::producer::OpenClaim& claim) noexcept {
  return writer.abort(claim);
}

bool somebody_sleeps(std::uint64_t& armed) noexcept {
  return core::wake::somebody_sleeps<Atom>(armed);
}

int on_descriptor(Receiver& receiver, const core::consumer::Descriptor& descriptor,
                  Sink sink) noexcept {
  return receiver.on_descriptor(descriptor, false, sink);
}
int on_drained(Receiver& receiver, Sink sink) noexcept {
  return receiver.on_drained(sink);
}
int fill_gap(Receiver& receiver, int limit, Sink sink) noexcept {
  return receiver.fill_gap(limit, sink);
}
int follow_ring(Receiver& receiver, int limit, bool latest, Sink sink) noexcept {
  return receiver.follow_ring(limit, latest, sink);
}
void start_at_end(Receiver& receiver) noexcept {
  receiver.start_at_end();
}
bool frame_in_ring(const Receiver& receiver) noexcept {
  return receiver.frame_in_ring();
}
bool ring_goes_on(const Receiver& receiver) noexcept {
  return receiver.ring_goes_on();
}
bool still_valid(const core::consumer::Frame<Atom>& frame) noexcept {
  return core::ring::unchanged_after_use<Atom>(*frame.commit, frame.seq);
}

}  // namespace tensorpool::binary
