// Metadata of a stream: attributes that belong together under one version, and blobs for what is
// too large for a message. Spec: §1.18.
//
//     producer.set_metadata({Attribute::text("camera.serial", "4711"),
//                            Attribute::number("exposure", 250, "us")});
//     if (auto set = frame.meta()) { exposure = set->number("exposure"); }
//
// A value has a format, which is a media type (`text/plain`, `application/json`, `image/png`) or
// `sbe:<schemaId>.<templateId>`. Texts and numbers travel as `text/plain`, a number as decimal text
// with its unit as a parameter: `text/plain;unit=us`. Formats that nobody here knows are no error
// (W379): the bytes are there for whoever does.
//
// Names that begin with `tensorpool.` are reserved. One is in use: `tensorpool.dtype`, which says
// that elements are of a type that the wire has no number for (ExtendedDtype).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tensorpool/export.hpp"
#include "tensorpool/types/dtype.hpp"
#include "tensorpool/types/error.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0 {

/// One named value.
struct TENSORPOOL_EXPORT Attribute {
  std::string key;
  std::string format;
  std::vector<std::byte> value = {};

  [[nodiscard]] static Attribute text(std::string name, std::string_view content);
  [[nodiscard]] static Attribute json(std::string name, std::string_view content);
  /// `unit` is what people would write: `us`, `mm`, `m/s`; may be empty.
  [[nodiscard]] static Attribute number(std::string name, double content,
                                        std::string_view unit = {});
  [[nodiscard]] static Attribute integer(std::string name, std::int64_t content,
                                         std::string_view unit = {});
  [[nodiscard]] static Attribute bytes(std::string name, std::string type,
                                       std::vector<std::byte> content);

  /// The format without its parameters, in small letters.
  [[nodiscard]] std::string media_type() const;
  /// Of `text/*`, and where no format was given.
  [[nodiscard]] std::optional<std::string_view> as_text() const noexcept;
  /// Of a text or JSON that is one decimal number.
  [[nodiscard]] std::optional<double> as_number() const noexcept;
  [[nodiscard]] std::optional<std::int64_t> as_integer() const noexcept;
  /// Parameter `unit` of the format; "" without one.
  [[nodiscard]] std::string_view unit() const noexcept;

  friend bool operator==(const Attribute&, const Attribute&) = default;
};

/// All attributes that were in force together (W373). No key occurs twice.
struct TENSORPOOL_EXPORT MetadataSet {
  std::uint32_t stream_id = 0;
  std::uint64_t epoch = 0;  ///< 0 while it is not known
  std::uint32_t version = 0;
  std::uint64_t timestamp_ns = 0;  ///< when it was made, in the producer's clock
  std::vector<Attribute> attributes = {};

  /// Null when there is none.
  [[nodiscard]] const Attribute* find(std::string_view key) const noexcept;
  [[nodiscard]] std::optional<std::string_view> text(std::string_view key) const noexcept;
  [[nodiscard]] std::optional<double> number(std::string_view key) const noexcept;
  [[nodiscard]] std::optional<std::int64_t> integer(std::string_view key) const noexcept;

  friend bool operator==(const MetadataSet&, const MetadataSet&) = default;
};

/// A table, a picture, a calibration: sent once, in pieces, whole or not at all. Spec: §1.18.1.
struct MetadataBlob {
  std::uint32_t stream_id = 0;
  std::uint32_t version = 0;  ///< of the metadata that it belongs to
  std::uint32_t type = 0;     ///< the application's
  std::vector<std::byte> bytes = {};
};

/// Bounds on what others may send, and on what is sent (§1.24).
struct MetadataLimits {
  std::uint32_t max_attributes = 1024;
  std::uint64_t max_blob_bytes = 64ULL << 20U;
  Nanos blob_timeout = std::chrono::seconds(5);  ///< between two pieces, before a blob is given up
};

inline constexpr std::string_view kReservedAttributePrefix = "tensorpool.";
inline constexpr std::string_view kDtypeAttribute = "tensorpool.dtype";

/// Element types that the wire has no number for. The half ones travel as UINT16; the complex ones
/// as BYTES with one more dimension, the last in row order, of `element_bytes`.
enum class ExtendedDtype : std::uint8_t { kFloat16, kBfloat16, kComplex64, kComplex128 };

/// `float16`, `bfloat16`, `complex64`, `complex128`: the values of `tensorpool.dtype`.
[[nodiscard]] TENSORPOOL_EXPORT std::string_view to_string(ExtendedDtype dtype) noexcept;
[[nodiscard]] TENSORPOOL_EXPORT std::optional<ExtendedDtype> extended_dtype_from_string(
    std::string_view name) noexcept;
[[nodiscard]] TENSORPOOL_EXPORT std::size_t element_bytes(ExtendedDtype dtype) noexcept;
/// What the wire says instead.
[[nodiscard]] TENSORPOOL_EXPORT Dtype carrier_of(ExtendedDtype dtype) noexcept;
/// What a set says about the elements of its frames, if they are of such a type.
[[nodiscard]] TENSORPOOL_EXPORT std::optional<ExtendedDtype> extended_dtype(
    const MetadataSet& set) noexcept;

}  // namespace tensorpool::inline v0
