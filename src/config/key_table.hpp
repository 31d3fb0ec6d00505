// Every key of a driver's configuration: the one table behind reading, overriding, explaining and
// documenting them.
//
// What a value may be beside its type is checked by core/driver/check_settings; the table says it
// in words, and a test holds the two together. Spec: §2.21. Thread contract: constants.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/driver/settings.hpp"

namespace tensorpool::inline v0::config {

struct Milliseconds {
  Nanos* at;
};
struct Nanoseconds {
  Nanos* at;
};
/// A string of octal digits.
struct OctalMode {
  std::uint32_t* at;
};
/// The same, which may be unset.
struct OptionalMode {
  std::optional<std::uint32_t>* at;
};
/// A list that is not empty when it is set.
struct OptionalList {
  std::vector<std::string>* at;
};
/// A key that may have this value only, and is kept nowhere.
struct Fixed {
  std::uint32_t only;
};

/// Where the value of a key is kept. Its type says how text becomes a value, and back.
using Slot =
    std::variant<std::string*, bool*, std::uint16_t*, std::uint32_t*, std::optional<std::uint32_t>*,
                 Milliseconds, Nanoseconds, OctalMode, OptionalMode, Fixed,
                 std::vector<core::driver::IdRange>*, std::vector<std::string>*, OptionalList>;

template <class Owner>
using SlotOf = Slot (*)(Owner&);

struct Key {
  std::string_view name;  ///< in full: `shm.namespace`, `profiles.<name>.header_nslots`
  std::string_view type;
  std::string_view default_text;
  std::string_view meaning;       ///< one sentence
  std::string_view allowed = {};  ///< where it is less than the type allows
  /// None for what is a table. Precondition of those of `supervisor.`: there is a supervisor.
  std::variant<std::monostate, SlotOf<core::driver::Settings>, SlotOf<core::driver::Profile>,
               SlotOf<core::region::PoolGeometry>, SlotOf<core::driver::StaticStream>>
      slot = {};
  /// Sets a default that follows from other keys, those above this one included.
  void (*derive)(core::driver::Settings&) = nullptr;
  std::string_view alias = {};       ///< a second variable, which the first beats (D327, D328)
  std::string_view alias_only = {};  ///< the one value of the alias that counts; empty: any
  bool required = false;             ///< within its table
  bool nonempty = false;             ///< only the default is an empty text or list
  bool secret = false;               ///< its value is never shown
  bool addition = false;             ///< marked (x) in the spec
};

/// In the order of the spec.
[[nodiscard]] std::span<const Key> all_keys() noexcept;

/// The key of this name, or nullptr. Takes names with `<name>` and `[]` only.
[[nodiscard]] const Key* find_key(std::string_view name) noexcept;

/// Everything before the last dot.
[[nodiscard]] std::string_view table_of(std::string_view name) noexcept;

/// The environment variable that overrides the key, or an empty text (D323, D329).
[[nodiscard]] std::string variable_of(const Key& key);

/// What the key may be, in words that are never empty.
[[nodiscard]] std::string_view allowed_text(const Key& key) noexcept;

}  // namespace tensorpool::inline v0::config
