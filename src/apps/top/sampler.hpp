// Looks at everything that `tp top` shows: counters in the media driver's file, header rings,
// processes, and what the driver lists. Subscribes to nothing, writes nothing.
//
// Thread contract: one thread. A look blocks for the time of some system calls, and, where a driver
// listens and does not answer, for kDriverPatience every kDriverPause.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "apps/top/ring_reader.hpp"
#include "apps/top/sample.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::apps::top {

class Sampler {
 public:
  struct Options {
    std::string aeron_dir;  ///< as it is: not ""
    std::uint32_t control_stream_id = 1000;
    std::vector<std::string> shm_dirs = {};  ///< look for rings below these, too
  };

  explicit Sampler(Options options) : options_(std::move(options)) {}

  [[nodiscard]] Sample take();

 private:
  static constexpr Nanos kDriverPeriod = std::chrono::seconds(2);
  static constexpr Nanos kDriverPatience = std::chrono::milliseconds(300);
  static constexpr Nanos kDriverPause = std::chrono::seconds(10);  ///< after no answer in time
  static constexpr Nanos kSearchPeriod = std::chrono::seconds(5);

  void read_counters(Sample& sample) const;
  void ask_driver(Sample& sample);
  void look_at_rings(Sample& sample);
  void look_at_processes(Sample& sample) const;

  Options options_;
  Nanos ask_at_{};
  std::vector<DriverStream> streams_;  ///< as the driver last said
  std::vector<LeaseSeen> leases_;
  std::string driver_note_;  ///< why it said nothing; till it is asked again
  Nanos search_at_{};
  std::vector<std::string> found_;  ///< rings below shm_dirs
  std::map<std::string, RingReader> readers_;
};

/// What a driver answers to `streams`, at `now`. What cannot be one is left out. Pure.
void add_driver_streams(const std::string& answer, Nanos now, std::vector<DriverStream>& streams,
                        std::vector<LeaseSeen>& leases);

/// Of several epochs of a stream the last one: the paths of rings whose directories are the same
/// but for the last part, which is a number. Pure.
[[nodiscard]] std::vector<std::string> newest_epochs(std::vector<std::string> rings);

}  // namespace tensorpool::inline v0::apps::top
