// The header is written here and not by cfitsio: it counts frames that are still to come, the file
// has to stay whole when the disk fills up, and the frames then share StackSink with .npy. The
// tests read every kind back through cfitsio.
#include <array>
#include <cstdio>
#include <cstring>

#include "apps/files/fits.hpp"

namespace tensorpool::inline v0::apps::files {
namespace {

constexpr std::size_t kBlockBytes = 2880;
constexpr std::size_t kCardBytes = 80;

struct FitsType {
  int bitpix = 0;              ///< 0: FITS has no such type
  const char* zero = nullptr;  ///< BZERO where the stored numbers are offset by half their range
};

FitsType fits_type(Dtype dtype) noexcept {
  switch (dtype) {
    case Dtype::kUint8:
    case Dtype::kBoolean:
    case Dtype::kBytes:
      return {8};
    case Dtype::kInt8:
      return {8, "-128"};
    case Dtype::kInt16:
      return {16};
    case Dtype::kUint16:
      return {16, "32768"};
    case Dtype::kInt32:
      return {32};
    case Dtype::kUint32:
      return {32, "2147483648"};
    case Dtype::kInt64:
      return {64};
    case Dtype::kUint64:
      return {64, "9223372036854775808"};
    case Dtype::kFloat32:
      return {-32};
    case Dtype::kFloat64:
      return {-64};
    case Dtype::kUnknown:
    case Dtype::kBit:
      break;
  }
  return {};
}

/// One card in fixed format: numbers and logicals end in column 30, text starts in column 11.
void add_card(std::string& header, const std::string& key, const std::string& value) {
  std::array<char, kCardBytes + 1> card{};
  const bool text = value.starts_with('\'');
  std::snprintf(card.data(), card.size(), text ? "%-8s= %-70s" : "%-8s= %20s%50s", key.c_str(),
                value.c_str(), "");
  header += card.data();
}

[[nodiscard]] Result<std::string> fits_header(const TensorInfo& info, std::uint64_t frames) {
  const FitsType type = fits_type(info.dtype);
  if (type.bitpix == 0) {
    return fail(Errc::kDtypeMismatch, "FITS has no type for packed bits: write raw bytes, to -");
  }
  const bool column = info.order == MajorOrder::kColumn;
  const std::size_t ndims = info.shape().size();
  std::string header;
  add_card(header, "SIMPLE", "T");
  add_card(header, "BITPIX", std::to_string(type.bitpix));
  add_card(header, "NAXIS", std::to_string(ndims + 1));
  for (std::size_t axis = 0; axis < ndims; ++axis) {
    add_card(header, "NAXIS" + std::to_string(axis + 1),
             std::to_string(info.dims[column ? axis : ndims - 1 - axis]));
  }
  add_card(header, "NAXIS" + std::to_string(ndims + 1), std::to_string(frames));
  if (type.zero != nullptr) {
    add_card(header, "BSCALE", "1");
    add_card(header, "BZERO", type.zero);
  }
  if (column) {
    add_card(header, "TPORDER", "'COLUMN  '");
  }
  header += "END";
  header.resize(kBlockBytes, ' ');  // 17 cards at most: one block holds 36
  return header;
}

void encode(Dtype dtype, FrameBytes from, std::span<std::byte> to) {
  copy_swapped(from, to, element_bytes(dtype), fits_type(dtype).zero != nullptr);
}

}  // namespace

const StackFormat kFitsCube = {
    .header = fits_header,
    .encode = encode,
    .block_bytes = kBlockBytes,
};

}  // namespace tensorpool::inline v0::apps::files
