// Small text files, read as a whole and replaced as a whole. Thread contract: any thread.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "tensorpool/types/error.hpp"

namespace tensorpool::inline v0::os {

/// Errors, with the path: kNotFound, kLimitReached for more than `bytes_max`, kOsFailure. A
/// symbolic link at the end of the path is not followed.
[[nodiscard]] Result<std::string> read_text_file(const std::string& path, std::size_t bytes_max);

/// The new text is there, and on the disk, or the old one still is. `<path>.new` is used meanwhile.
/// Errors, with the path: kNoSpace, kOsFailure.
[[nodiscard]] Status replace_text_file(const std::string& path, std::string_view text, mode_t mode);

}  // namespace tensorpool::inline v0::os
