#include "apps/inspect.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <span>
#include <system_error>
#include <tuple>

#include "apps/files/input.hpp"
#include "core/region/directories.hpp"
#include "core/region/superblock.hpp"
#include "core/ring/commit_word.hpp"
#include "core/ring/slot_header.hpp"
#include "core/timing.hpp"
#include "os/clock.hpp"
#include "os/numa.hpp"
#include "os/process.hpp"
#include "os/syscalls.hpp"

namespace tensorpool::inline v0::apps {
namespace {

namespace ring = core::ring;

constexpr int kDepthMax = 5;  // tensorpool-<user>/<namespace>/<stream>/<epoch>/<file>

std::uint64_t slot_offset(std::uint64_t index) noexcept {
  return layout::kSuperblockBytes + index * layout::kHeaderSlotBytes;
}

/// The words of one slot, commit word first.
[[nodiscard]] Result<ring::SlotWords> read_slot(int fd, std::uint64_t index,
                                                const std::string& path) {
  ring::SlotWords words{};
  if (Status status =
          read_at(fd, slot_offset(index), std::as_writable_bytes(std::span(words)), path);
      !status) {
    return fail(status.error());
  }
  return words;
}

/// Index of the slot with the highest committed number that belongs there.
[[nodiscard]] Result<std::optional<std::uint64_t>> newest_slot(int fd, std::uint32_t nslots,
                                                               const std::string& path) {
  std::optional<std::uint64_t> newest;
  std::uint64_t newest_seq = 0;
  for (std::uint64_t index = 0; index < nslots; ++index) {
    std::uint64_t word = 0;
    if (Status status =
            read_at(fd, slot_offset(index), std::as_writable_bytes(std::span(&word, 1)), path);
        !status) {
      return fail(status.error());
    }
    const std::uint64_t seq = ring::sequence_of(word);
    if (ring::is_committed(word) && seq % nslots == index && (!newest || seq > newest_seq)) {
      newest = index;
      newest_seq = seq;
    }
  }
  return newest;
}

/// The newest frame, judged after a second look at its commit word. A producer at full speed may
/// overwrite it between the two looks: then the next newest is taken.
[[nodiscard]] Result<std::optional<NewestFrame>> find_newest(int fd, std::uint32_t nslots,
                                                             const std::string& path) {
  constexpr int kAttempts = 100;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const Result<std::optional<std::uint64_t>> index = newest_slot(fd, nslots, path);
    if (!index || !*index) {
      return index ? Result<std::optional<NewestFrame>>(std::nullopt) : fail(index.error());
    }
    const Result<ring::SlotWords> words = read_slot(fd, **index, path);
    const Result<ring::SlotWords> again = read_slot(fd, **index, path);
    if (!words || !again) {
      return fail(words ? again.error() : words.error());
    }
    if (words->front() != again->front() || !ring::is_committed(words->front())) {
      continue;
    }
    const auto tensor = ring::decode_tensor_words(*words);
    if (!tensor) {
      return fail(tensor.error());
    }
    const ring::FrameFields fields = ring::decode_frame_words(*words);
    NewestFrame newest{.seq = ring::sequence_of(words->front()),
                       .info = tensor->info,
                       .payload_bytes = fields.values_len_bytes,
                       .pool_id = fields.pool_id,
                       .age = {}};
    if (fields.timestamp_ns != layout::kTimestampNone) {
      newest.age = core::age_of(fields.timestamp_ns, os::SystemClock().mono());
    }
    return std::optional(newest);
  }
  return std::optional<NewestFrame>();
}

core::region::ExpectedRegion as_described(const layout::Superblock& block) noexcept {
  return {.stream_id = block.stream_id,
          .epoch = block.epoch,
          .type = static_cast<layout::RegionType>(static_cast<std::int16_t>(block.region_type)),
          .pool_id = block.pool_id,
          .nslots = block.nslots,
          .stride_bytes = block.stride_bytes};
}

/// What is wrong with a region, seen by itself.
[[nodiscard]] Status judge(const layout::Superblock& block, std::uint64_t file_bytes) {
  const core::region::ExpectedRegion region = as_described(block);
  if (region.type != layout::RegionType::kHeaderRing &&
      region.type != layout::RegionType::kPayloadPool) {
    return fail(make_error(Errc::kSuperblockMismatch, "region type",
                           static_cast<std::uint16_t>(block.region_type))
                    .of_field(Field::kRegionType));
  }
  if (Status status = core::region::check_superblock(block, region); !status) {
    return status;
  }
  if (Status status = core::region::check_shape(region); !status) {
    return status;
  }
  return file_bytes >= region.bytes()
             ? Status{}
             : Status(fail(Errc::kRegionTooSmall, "file", file_bytes, region.bytes()));
}

}  // namespace

Status read_at(int fd, std::uint64_t offset, std::span<std::byte> to, const std::string& path) {
  std::size_t done = 0;
  while (done < to.size()) {
    const ssize_t got =
        ::pread(fd, to.data() + done, to.size() - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      return fail(make_os_error(Errc::kOsFailure, path, errno));
    }
    if (got == 0) {
      return fail(Errc::kRegionTooSmall, path, offset + done, offset + to.size());
    }
    done += static_cast<std::size_t>(got);
  }
  return {};
}

Result<layout::Superblock> read_superblock(int fd, const std::string& path) {
  layout::Superblock block{};
  if (Status read =
          read_at(fd, 0, std::as_writable_bytes(std::span<layout::Superblock, 1>(&block, 1)), path);
      !read) {
    return fail(read.error());
  }
  struct stat status {};
  if (::fstat(fd, &status) != 0) {
    return fail(make_os_error(Errc::kOsFailure, path, errno));
  }
  const Status verdict = judge(block, static_cast<std::uint64_t>(status.st_size));
  return verdict ? Result<layout::Superblock>(block) : fail(verdict.error());
}

Result<RegionReport> inspect_region(const std::string& path) {
  const Result<files::InputFile> input = files::open_input(path);
  if (!input) {
    return fail(input.error());
  }
  const int fd = input->file.get();
  RegionReport report;
  report.path = path;
  report.file_bytes = input->bytes;
  if (Status status = read_at(
          fd, 0, std::as_writable_bytes(std::span<layout::Superblock, 1>(&report.superblock, 1)),
          path);
      !status) {
    return fail(status.error());
  }
  const layout::Superblock& block = report.superblock;
  report.verdict = judge(block, report.file_bytes);
  report.silence = core::age_of(block.activity_timestamp_ns, os::SystemClock().mono());
  report.owner_alive = os::owner_alive(os::system_calls(), block.pid);
  if (!report.verdict) {
    return report;
  }
  report.region_bytes = as_described(block).bytes();
  report.numa_node = os::node_of_file(path);
  if (as_described(block).type == layout::RegionType::kHeaderRing) {
    Result<std::optional<NewestFrame>> newest = find_newest(fd, block.nslots, path);
    if (newest) {
      report.newest = *newest;
    } else {
      report.verdict = fail(newest.error());
    }
  }
  return report;
}

Result<std::vector<std::string>> find_regions(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    return std::vector{path};  // whatever is wrong with it, opening it will tell
  }
  std::vector<std::string> found;
  fs::recursive_directory_iterator entries(path, fs::directory_options::skip_permission_denied,
                                           error);
  for (; !error && entries != fs::end(entries); entries.increment(error)) {
    if (entries.depth() >= kDepthMax) {
      entries.disable_recursion_pending();
    }
    std::error_code ignored;
    if (core::region::is_region_file_name(entries->path().filename().native()) &&
        entries->is_regular_file(ignored)) {
      found.push_back(entries->path().native());
    }
  }
  if (found.empty()) {
    return fail(Errc::kNotFound, path + ": header.ring or *.pool");
  }
  // The header ring of an epoch first: it tells most.
  const auto rank = [](const std::string& file) {
    const fs::path as_path(file);
    return std::tuple(as_path.parent_path(), as_path.extension() == ".pool", as_path);
  };
  std::sort(found.begin(), found.end(),
            [&](const std::string& a, const std::string& b) { return rank(a) < rank(b); });
  return found;
}

}  // namespace tensorpool::inline v0::apps
