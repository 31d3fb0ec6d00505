// The file with the two words by which a producer wakes the consumers of an epoch
// (layout/wake_words): made by the producer, mapped by both. Decision: docs/adr/0030.
//
// It lies in the directory of the media driver that both have joined, under a name made of stream
// and epoch. Whoever may use that media driver may write the words: mode and group are those of
// `cnc.dat` there. Its maker keeps it locked as long as it lives, so that a file whose maker was
// killed is known, and removed by the next producer that makes one there.
//
// Thread contract: create, open and is_linked on one thread at a time; `words` is shared memory.
#pragma once

#include <cstdint>
#include <string>

#include "layout/wake_words.hpp"
#include "os/mapping.hpp"
#include "os/syscalls.hpp"
#include "os/unique_fd.hpp"
#include "tensorpool/types/error.hpp"

namespace tensorpool::inline v0::os {

class WakeFile {
 public:
  struct Name {
    std::string directory;  ///< of the media driver
    std::uint32_t stream_id = 0;
    std::uint64_t epoch = 0;
  };

  /// The producer's. `not_found` while there is no media driver in the directory, `already_exists`
  /// when somebody else has a file of this name there. Nothing is left behind on failure.
  [[nodiscard]] static Result<WakeFile> create(Syscalls& calls, const Name& name);

  /// A consumer's. `not_found` where the producer has made none, `path_rejected` for what is no
  /// such file, may not be written, or is of another epoch.
  [[nodiscard]] static Result<WakeFile> open(Syscalls& calls, const Name& name);

  WakeFile(WakeFile&&) noexcept = default;
  WakeFile& operator=(WakeFile&& other) noexcept;
  WakeFile(const WakeFile&) = delete;
  WakeFile& operator=(const WakeFile&) = delete;
  /// The producer's removes the file; not in a forked child.
  ~WakeFile();

  [[nodiscard]] layout::WakeWords& words() const noexcept {
    return *reinterpret_cast<layout::WakeWords*>(mapping_.data());
  }
  /// False once the file was removed: by its maker, or with the whole directory.
  [[nodiscard]] bool is_linked(Syscalls& calls) const;

 private:
  WakeFile(UniqueFd file, Mapping mapping) noexcept
      : file_(std::move(file)), mapping_(std::move(mapping)) {}

  UniqueFd file_;
  Mapping mapping_;
  std::string remove_path_;  ///< empty: not ours
  std::uint32_t generation_ = 0;
};

}  // namespace tensorpool::inline v0::os
