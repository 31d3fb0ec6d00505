#include "client/driver_configuration.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

#include "config/effective.hpp"
#include "core/region/directories.hpp"
#include "os/process.hpp"

namespace tensorpool::inline v0::detail {
namespace {

/// errno, or 0. A text that is too long is cut behind the limit: config::load refuses it.
[[nodiscard]] int read_text(const std::string& path, std::string& text) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"),
                                                             &std::fclose);
  if (!file) {
    return errno;
  }
  text.resize(config::kFileBytesMax + 1);
  errno = 0;
  text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  return std::ferror(file.get()) != 0 ? errno : 0;
}

[[nodiscard]] config::Environment environment() {
  config::Environment variables;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::size_t equals = text.find('=');
    if (equals != std::string_view::npos) {
      variables.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
  }
  return variables;
}

[[nodiscard]] tl::expected<config::Loaded, config::Refused> load(const config::File* file,
                                                                 bool supervisor_alone = false) {
  return config::load({.file = file,
                       .environment = environment(),
                       .user = core::region::sanitized_user(os::effective_user_name(), ::geteuid()),
                       .supervisor_alone = supervisor_alone});
}

[[nodiscard]] tl::expected<config::Loaded, config::Refused> load_file(const std::string& path,
                                                                      bool supervisor_alone) {
  config::File file{.name = path, .text = {}};
  if (const int error = path.empty() ? 0 : read_text(path, file.text); error != 0) {
    config::Refused refused;
    config::Problem& problem = refused.errors.emplace_back();
    problem.origin.kind = config::Origin::Kind::kFile;
    problem.origin.name = path;
    problem.message = std::string("cannot be read: ").append(std::strerror(error));
    return tl::unexpected<config::Refused>(std::move(refused));
  }
  return load(path.empty() ? nullptr : &file, supervisor_alone);
}

}  // namespace

tl::expected<config::Loaded, config::Refused> load_configuration(const std::string& path) {
  return load_file(path, false);
}

tl::expected<config::Loaded, config::Refused> load_supervisor_configuration(
    const std::string& path) {
  return load_file(path, true);
}

tl::expected<config::Loaded, config::Refused> parse_configuration(std::string name,
                                                                  std::string text) {
  const config::File file{.name = std::move(name), .text = std::move(text)};
  return load(&file);
}

std::string effective_text(const config::Loaded& loaded) {
  std::string text;
  for (const config::CommentedLine& line : config::effective_toml(loaded)) {
    text += line.text + "\n";
  }
  return text;
}

}  // namespace tensorpool::inline v0::detail
