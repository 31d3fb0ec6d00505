// Simulated region files. A mapping keeps its files readable after they are gone from the
// directory, as it is after unlink.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/consumer/mapping_machine.hpp"
#include "core/region/plan.hpp"
#include "core/ring/stream_memory.hpp"
#include "parts/sim_atom.hpp"

namespace tensorpool::inline v0::sim {

using StreamMemory = core::ring::StreamMemory<SimAtom>;
using Observation = core::consumer::MappingMachine::Observation;

/// One file: a superblock and what follows it.
struct RegionFile {
  explicit RegionFile(std::uint64_t bytes) : words(bytes / sizeof(std::uint64_t)) {}

  [[nodiscard]] std::uint64_t bytes() const noexcept { return words.size() * sizeof(words[0]); }

  [[nodiscard]] core::region::SuperblockWords<SimAtom> superblock() noexcept {
    return std::span(words).first<layout::kSuperblockWords>();
  }
  [[nodiscard]] std::uint64_t* body() noexcept { return words.data() + layout::kSuperblockWords; }

  std::vector<std::uint64_t> words;
};

/// The files of one epoch, mapped into a process.
class SimMapping {
 public:
  /// Lays the regions out. Precondition: header ring first, as a plan has them.
  SimMapping(const core::region::MappingPlan& plan, std::vector<std::shared_ptr<RegionFile>> files);
  SimMapping(const SimMapping&) = delete;
  SimMapping& operator=(const SimMapping&) = delete;

  [[nodiscard]] const StreamMemory& memory() const noexcept { return memory_; }
  /// Compares every superblock with the plan, in its order (W231, W234).
  [[nodiscard]] Result<Observation> compare(const core::region::MappingPlan& plan) const;
  [[nodiscard]] Observation observe() const;
  /// The same for a checker: no step of the simulated process.
  [[nodiscard]] Observation peek() const noexcept;
  /// The owner's part: superblocks of new files, and signs of life.
  void initialise(const core::region::MappingPlan& plan, core::region::Creation creation);
  void refresh_activity(Nanos now);
  /// The same files, in the order of the plan; for checkers.
  [[nodiscard]] const std::vector<std::shared_ptr<RegionFile>>& files() const noexcept {
    return files_;
  }
  /// What a foreign process may do to a superblock.
  void scribble_pid(std::uint64_t pid);

 private:
  std::vector<std::shared_ptr<RegionFile>> files_;
  StreamMemory memory_;
};

/// The directory of all regions.
class RegionStore {
 public:
  /// Creates the files of a plan and maps them; their superblocks are still to be written.
  [[nodiscard]] std::shared_ptr<SimMapping> create(const core::region::MappingPlan& plan);
  /// Maps what a plan names and compares it.
  [[nodiscard]] Result<std::shared_ptr<SimMapping>> open(
      const core::region::MappingPlan& plan) const;
  /// Unlinks the files of a plan.
  void remove(const core::region::MappingPlan& plan);

  // File by file, for who does one thing at a time.
  void link(const std::string& uri, std::shared_ptr<RegionFile> file) {
    files_[uri] = std::move(file);
  }
  void unlink(const std::string& uri) { files_.erase(uri); }
  /// Null: there is none.
  [[nodiscard]] std::shared_ptr<RegionFile> find(const std::string& uri) const;

 private:
  std::map<std::string, std::shared_ptr<RegionFile>, std::less<>> files_;
};

}  // namespace tensorpool::inline v0::sim
