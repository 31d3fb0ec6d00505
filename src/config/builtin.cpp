#include "config/builtin.hpp"

namespace tensorpool::inline v0::config {

const File& builtin_file() {
  // Containers have 64 MiB of /dev/shm unless told otherwise. An epoch of the profile takes 16 MiB;
  // three may exist while the driver moves a stream on (policies.epoch_gc_keep = 2, and the new
  // one), which leaves 16 MiB to Aeron's logs. A stride of 1 MiB takes the frames of most cameras;
  // who needs more names a profile, or has `tp pub` ask for what it needs.
  static const File file{.name = "built-in", .text = R"([driver]
announce_stream_id = 1001
stream_id_range = "20000-29999"

[policies]
allow_dynamic_streams = true

[profiles.default]
header_nslots = 16
payload_pools = [ { pool_id = 1, stride_bytes = 1048576 } ]
)"};
  return file;
}

}  // namespace tensorpool::inline v0::config
