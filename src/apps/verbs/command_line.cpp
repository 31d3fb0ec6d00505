#include "apps/verbs/command_line.hpp"

#include <CLI/CLI.hpp>

namespace tensorpool::inline v0::apps {
namespace {

constexpr decltype(&add_demo) kVerbs[] = {
    add_demo,   add_pub,    add_sub,     add_view,   add_hz,        add_info,   add_meta,
    add_up,     add_down,   add_ls,      add_top,    add_consumers, add_leases, add_attach,
    add_revoke, add_gc,     add_stat,    add_listen, add_config,    add_driver, add_supervise,
    add_size,   add_doctor, add_conform, add_uri,    add_codec,     add_bench,  add_version,
};

constexpr const char* kExamples = R"(Examples:
  tp demo                              a camera of 1 kHz streams between two processes, live
  tp pub cam1 --from my.fits           publish the frames of a file
  tp sub cam1 --to out.npy             receive them, bit for bit
  tp hz cam1                           rate, intervals and losses of a stream

`tp VERB --help` shows the options of a verb, with examples.
Exit codes: 0 fine, 1 failed, 2 wrong usage, 3 data lost (with --require-lossless).)";

}  // namespace

void add_everything(CLI::App& tp, Action& action) {
  tp.name("tp");
  tp.description("Streams tensors between processes through shared memory, without copies.");
  tp.footer(kExamples);
  tp.require_subcommand(1);
  tp.set_version_flag("--version", TP_VERSION);
  for (const auto add : kVerbs) {
    add(tp, action);
  }
}

}  // namespace tensorpool::inline v0::apps
