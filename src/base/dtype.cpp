#include "tensorpool/types/dtype.hpp"

#include <iterator>

namespace tensorpool::inline v0 {
namespace {

struct DtypeText {
  Dtype dtype;
  std::string_view name;    // NumPy's long name where there is one
  std::string_view letter;  // NumPy's kind and size
};

constexpr DtypeText kDtypes[] = {
    {Dtype::kUint8, "uint8", "u1"},     {Dtype::kInt8, "int8", "i1"},
    {Dtype::kUint16, "uint16", "u2"},   {Dtype::kInt16, "int16", "i2"},
    {Dtype::kUint32, "uint32", "u4"},   {Dtype::kInt32, "int32", "i4"},
    {Dtype::kUint64, "uint64", "u8"},   {Dtype::kInt64, "int64", "i8"},
    {Dtype::kFloat32, "float32", "f4"}, {Dtype::kFloat64, "float64", "f8"},
    {Dtype::kBoolean, "bool", "b1"},    {Dtype::kBytes, "bytes", "V1"},
    {Dtype::kBit, "bit", "bit"},
};

}  // namespace

std::string_view to_string(Dtype dtype) noexcept {
  for (const DtypeText& text : kDtypes) {
    if (text.dtype == dtype) {
      return text.name;
    }
  }
  return "unknown";
}

std::string_view to_string(MajorOrder order) noexcept {
  switch (order) {
    case MajorOrder::kRow:
      return "row";
    case MajorOrder::kColumn:
      return "column";
    case MajorOrder::kUnknown:
      break;
  }
  return "unknown";
}

Dtype dtype_from_string(std::string_view name) noexcept {
  if (!name.empty() && (name.front() == '<' || name.front() == '|' || name.front() == '=')) {
    name.remove_prefix(1);
  }
  for (const DtypeText& text : kDtypes) {
    if (name == text.name || name == text.letter) {
      return text.dtype;
    }
  }
  return Dtype::kUnknown;
}

}  // namespace tensorpool::inline v0
