// From a value in a file or in a variable to the slot of its key, and back to text.
//
// Spec: D236, D237 (form), D320, D325, D326. Thread contract: free functions, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/document.hpp"
#include "config/key_table.hpp"

namespace tensorpool::inline v0::config {

/// Why a value was refused, without the key and without the fix; nullopt: it was taken.
using Refusal = std::optional<std::string>;

/// Takes a value of a file.
[[nodiscard]] Refusal assign(const Slot& slot, const Node& value);

/// Takes the value of an environment variable (D325).
[[nodiscard]] Refusal assign(const Slot& slot, std::string_view variable);

/// What a slot holds. None: nothing was set, and that is not the same as setting the default.
using Value = std::variant<std::monostate, bool, std::uint64_t, std::string,
                           std::vector<core::driver::IdRange>, std::vector<std::string>>;

[[nodiscard]] Value value_of(const Slot& slot);

[[nodiscard]] inline bool is_set(const Value& value) noexcept {
  return !std::holds_alternative<std::monostate>(value);
}
/// True for a text and for a list of texts without anything in it.
[[nodiscard]] inline bool is_empty(const Value& value) noexcept {
  const auto* text = std::get_if<std::string>(&value);
  const auto* list = std::get_if<std::vector<std::string>>(&value);
  return (text != nullptr && text->empty()) || (list != nullptr && list->empty());
}

/// As TOML writes it. Precondition: there is a value.
[[nodiscard]] std::string toml_text(const Value& value);

}  // namespace tensorpool::inline v0::config
