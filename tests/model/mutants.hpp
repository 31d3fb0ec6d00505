// Every order, fence and check of the ring, with what becomes of the model when it is removed:
// either a run notices, or the table says why nothing can go wrong without it. What is met in the
// sound runs and missing here fails the test, and so does a row that nothing meets. The same table
// is in docs/adr/0016-proofs-of-the-ring.md, which a test compares.
//
// To read a row: in `form`, without `removal` at `edge`, a run finds a mixed frame (found), or none
// does (redundant, because ...). Store fences have the processor of `StreamingAtom` to be found in.
#pragma once

#include <array>
#include <string_view>

#include "model/relacy_atom.hpp"

namespace tensorpool::model {

/// The two policies that ship: fences in the product, acquire and release under ThreadSanitizer.
enum class Form : std::uint8_t { kFences, kAcquireRelease };

struct EdgeName {
  std::string_view name;
  std::string_view spec;  ///< of docs/spec/1-wire.md, or where the rule is written down
};
inline constexpr std::array<EdgeName, kEdges> kEdgeNames{{
    {"begin store", "W154"},        {"begin fence", "W154"},
    {"begin store fence", "W450"},  {"header store", "W156"},
    {"payload store", "W155"},      {"commit store fence", "W450"},
    {"commit store", "W157"},       {"first load", "W164"},
    {"first check", "W164"},        {"sequence check", "W165"},
    {"header load", "W166"},        {"payload load", "W174"},
    {"second fence", "W167"},       {"second load", "W167"},
    {"second check", "W167"},       {"after-use fence", "W170"},
    {"after-use load", "W170"},     {"after-use check", "W170"},
    {"plausible load", "W257"},     {"follow load", "ADR 8"},
    {"abort commit check", "W181"}, {"abort sequence check", "ADR 8"},
    {"abort again check", "ADR 8"}, {"magic store", "W16"},
    {"magic load", "W17"},          {"activity store", "W15"},
    {"activity load", "W15"},       {"arm", "ADR 30"},
    {"armed load", "ADR 30"},       {"disarm store", "ADR 30"},
    {"ticket store", "ADR 30"},     {"ticket load", "ADR 30"},
    {"look again", "ADR 30"},
}};
inline constexpr std::array<std::string_view, kRemovals> kRemovalNames{"order", "fence", "check",
                                                                       "store"};
[[nodiscard]] constexpr std::string_view name_of(Form form) {
  return form == Form::kFences ? "fences" : "acquire/release";
}
[[nodiscard]] constexpr const EdgeName& name_of(Edge edge) {
  return kEdgeNames[static_cast<std::size_t>(edge)];
}
[[nodiscard]] constexpr std::string_view name_of(Removal removal) {
  return kRemovalNames[static_cast<std::size_t>(removal)];
}

struct Mutant {
  Form form{};
  Mutation mutation;
  std::string_view redundant_because;  ///< empty: a run has to find it

  [[nodiscard]] constexpr bool is_redundant() const { return !redundant_because.empty(); }
};

inline constexpr std::string_view kFound;
inline constexpr std::string_view kOneWord =
    "it is one word, and nothing else is published or read on its strength";
inline constexpr std::string_view kDescriptorCarriesIt =
    "the descriptor arrives by a synchronisation of its own, and the read that follows acquires";
inline constexpr std::string_view kNothingBefore =
    "it has to come before later stores, not after earlier ones: those were released by their "
    "own commit";
inline constexpr std::string_view kNothingAfter =
    "it has to come after earlier loads, which acquire themselves; what follows it is checked "
    "again";

inline constexpr std::array kMutants{
    // The product: relaxed words and fences. Spec: §1.9.
    Mutant{Form::kFences, {Edge::kBeginStore, Removal::kStore}, kFound},
    Mutant{Form::kFences, {Edge::kBeginFence, Removal::kFence}, kFound},
    Mutant{Form::kFences, {Edge::kBeginStoreFence, Removal::kFence}, kFound},
    Mutant{Form::kFences, {Edge::kCommitStoreFence, Removal::kFence}, kFound},
    Mutant{Form::kFences, {Edge::kCommitStore, Removal::kOrder}, kFound},
    Mutant{Form::kFences, {Edge::kFirstLoad, Removal::kOrder}, kFound},
    Mutant{Form::kFences, {Edge::kFirstCheck, Removal::kCheck}, kFound},
    Mutant{Form::kFences, {Edge::kSequenceCheck, Removal::kCheck}, kFound},
    Mutant{Form::kFences, {Edge::kSecondFence, Removal::kFence}, kFound},
    Mutant{Form::kFences, {Edge::kSecondCheck, Removal::kCheck}, kFound},
    Mutant{Form::kFences, {Edge::kAfterUseFence, Removal::kFence}, kFound},
    Mutant{Form::kFences, {Edge::kAfterUseCheck, Removal::kCheck}, kFound},
    Mutant{Form::kFences, {Edge::kPlausibleLoad, Removal::kOrder}, kDescriptorCarriesIt},
    Mutant{Form::kFences, {Edge::kFollowLoad, Removal::kOrder}, kFound},
    Mutant{Form::kFences, {Edge::kAbortCommitCheck, Removal::kCheck}, kFound},
    Mutant{Form::kFences, {Edge::kAbortSeqCheck, Removal::kCheck}, kFound},
    Mutant{Form::kFences, {Edge::kAbortAgainCheck, Removal::kCheck}, kFound},
    Mutant{Form::kFences, {Edge::kMagicStore, Removal::kOrder}, kFound},
    Mutant{Form::kFences, {Edge::kMagicLoad, Removal::kOrder}, kFound},
    Mutant{Form::kFences, {Edge::kActivityStore, Removal::kOrder}, kOneWord},
    Mutant{Form::kFences, {Edge::kActivityLoad, Removal::kOrder}, kOneWord},

    // ThreadSanitizer's: no fences, every word acquires or releases.
    Mutant{Form::kAcquireRelease, {Edge::kBeginStore, Removal::kStore}, kFound},
    Mutant{Form::kAcquireRelease, {Edge::kBeginStore, Removal::kOrder}, kNothingBefore},
    Mutant{Form::kAcquireRelease, {Edge::kHeaderStore, Removal::kOrder}, kFound},
    Mutant{Form::kAcquireRelease, {Edge::kPayloadStore, Removal::kOrder}, kFound},
    Mutant{Form::kAcquireRelease, {Edge::kCommitStore, Removal::kOrder}, kFound},
    Mutant{Form::kAcquireRelease, {Edge::kFirstLoad, Removal::kOrder}, kFound},
    Mutant{Form::kAcquireRelease, {Edge::kFirstCheck, Removal::kCheck}, kFound},
    Mutant{Form::kAcquireRelease, {Edge::kSequenceCheck, Removal::kCheck}, kFound},
    Mutant{Form::kAcquireRelease, {Edge::kHeaderLoad, Removal::kOrder}, kFound},
    Mutant{Form::kAcquireRelease, {Edge::kPayloadLoad, Removal::kOrder}, kFound},
    Mutant{Form::kAcquireRelease, {Edge::kSecondLoad, Removal::kOrder}, kNothingAfter},
    Mutant{Form::kAcquireRelease, {Edge::kSecondCheck, Removal::kCheck}, kFound},
    Mutant{Form::kAcquireRelease, {Edge::kAfterUseLoad, Removal::kOrder}, kNothingAfter},
    Mutant{Form::kAcquireRelease, {Edge::kAfterUseCheck, Removal::kCheck}, kFound},
    Mutant{Form::kAcquireRelease, {Edge::kPlausibleLoad, Removal::kOrder}, kDescriptorCarriesIt},
    Mutant{Form::kAcquireRelease, {Edge::kFollowLoad, Removal::kOrder}, kFound},
    Mutant{Form::kAcquireRelease, {Edge::kAbortCommitCheck, Removal::kCheck}, kFound},
    Mutant{Form::kAcquireRelease, {Edge::kAbortSeqCheck, Removal::kCheck}, kFound},
    Mutant{Form::kAcquireRelease, {Edge::kAbortAgainCheck, Removal::kCheck}, kFound},
    Mutant{Form::kAcquireRelease, {Edge::kMagicStore, Removal::kOrder}, kFound},
    Mutant{Form::kAcquireRelease, {Edge::kMagicLoad, Removal::kOrder}, kFound},
    Mutant{Form::kAcquireRelease, {Edge::kActivityStore, Removal::kOrder}, kOneWord},
    Mutant{Form::kAcquireRelease, {Edge::kActivityLoad, Removal::kOrder}, kOneWord},
};

}  // namespace tensorpool::model
