// Numbers as people read them. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "tensorpool/types/tensor_info.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::apps {

/// `1,234,567`.
[[nodiscard]] std::string grouped(std::uint64_t number);
/// `640 KiB`, `1.5 GiB`.
[[nodiscard]] std::string bytes_text(std::uint64_t bytes);
/// `655.4 MB/s`, in units of 10^6 bytes.
[[nodiscard]] std::string megabytes_text(double bytes_per_second);
/// `850 ns`, `12.3 us`, `4.56 ms`, `120 s`: three digits.
[[nodiscard]] std::string duration_text(Nanos span);
/// `1,000.0 Hz`, `59.94 Hz`.
[[nodiscard]] std::string rate_text(double hz);
/// `512 x 640 uint16`, with `, column-major` where it is.
[[nodiscard]] std::string tensor_text(const TensorInfo& info);
/// `1 frame`, `12,345 frames`.
[[nodiscard]] std::string counted(std::uint64_t number, const char* noun);

}  // namespace tensorpool::inline v0::apps
