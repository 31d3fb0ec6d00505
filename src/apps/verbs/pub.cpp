// tp pub: publishes the frames of a file, of standard input, of a simulation or of a camera. What
// it does is in pub/.
#include <sched.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>

#include "apps/console.hpp"
#include "apps/metadata_text.hpp"
#include "apps/options.hpp"
#include "apps/stop.hpp"
#include "apps/verbs.hpp"
#include "apps/verbs/pub/open_input.hpp"
#include "apps/verbs/pub/options.hpp"
#include "apps/verbs/pub/publishing.hpp"

namespace tensorpool::inline v0::apps {
namespace {

ExitCode run_pub(const pub::Options& options) {
  Console console("pub");
  const std::atomic<bool>& stop = catch_stop_signals();
  if (options.from_camera()) {
    const Result<std::unique_ptr<sources::V4l2Camera>> camera = pub::open_camera(options);
    if (!camera) {
      console.error(camera.error());
      return ExitCode::kFailed;
    }
    return pub::Publishing(options, nullptr, camera->get(), stop, console).run();
  }
  const Result<std::unique_ptr<files::FrameSource>> source = pub::open_frames(options, stop);
  if (!source) {
    console.error(source.error());
    return ExitCode::kFailed;
  }
  return pub::Publishing(options, source->get(), nullptr, stop, console).run();
}

}  // namespace

void add_pub(CLI::App& tp, Action& action) {
  CLI::App& verb =
      *tp.add_subcommand("pub", "Publish a file, a camera, standard input or a simulation");
  const auto options = std::make_shared<pub::Options>();
  verb.add_option("NAME", options->stream, "Name of the stream, or its number")->required();
  CLI::Option* from = verb.add_option(
      "--from", options->from,
      "File (.npy, FITS, PNG, PGM, PPM, raw) or directory of files; - is standard input; "
      "v4l2:/dev/video0 is a camera");
  from->type_name("FILE");
  verb.add_option("--sim", options->simulation,
                  "Made-up frames: camera (spots of a Shack-Hartmann sensor), ramp or noise")
      ->check(CLI::IsMember({"camera", "ramp", "noise"}))
      ->excludes(from);
  verb.add_option("--shape", options->shape,
                  "Shape of a raw or simulated frame: 480,640,3; rows and columns of a camera");
  verb.add_option("--dtype", options->dtype, "Element type of a raw or simulated frame: u2, f4, …");
  verb.add_option(
          "--format", options->format,
          "Pixel format of a camera, in V4L2's letters: GREY, Y16, YUYV, RGB3, MJPG, … [the "
          "present one]")
      ->type_name("FOURCC");
  verb.add_option("--as", options->arrangement,
                  "How an array becomes frames: auto (above two dimensions a stack), one or stack")
      ->check(CLI::IsMember({"auto", "one", "stack"}))
      ->capture_default_str();
  verb.add_option("--hz", options->hz,
                  "Frames a second; 0 is as fast as possible [a file 100, a simulation 1000, "
                  "standard input 0, a camera its own]")
      ->check(CLI::Range(0.0, 1e8, "HZ"));
  verb.add_flag("--loop", options->loop, "Start again at the end of the file, without end");
  verb.add_option("--count", options->count, "End after so many frames")
      ->check(CLI::PositiveNumber);
  verb.add_option("--slots", options->slots, "Slots of the ring, a power of two [by --slack]")
      ->check(CLI::Validator(
          [](std::string& text) -> std::string {
            const std::uint64_t slots = std::strtoull(text.c_str(), nullptr, 10);
            return std::has_single_bit(slots) && slots <= 0x8000'0000U
                       ? ""
                       : "has to be a power of two: 8, 16, … (" + text + ")";
          },
          "POWER-OF-2"));
  verb.add_option("--slack", options->slack_s, "Seconds that a reader may fall behind")
      ->check(CLI::Range(1e-4, 3600.0, "SECONDS"))
      ->capture_default_str();
  verb.add_option("--pin", options->cpu, "Processor to publish on")
      ->check(CLI::Range(0, CPU_SETSIZE - 1, "CPU"));
  verb.add_option("--stream", options->number, "Number of the stream [from its name]")
      ->check(CLI::Range(1U, 0xFFFF'FFFEU, "NUMBER"));
  CLI::Option* wait = verb.add_flag("--wait", options->wait,
                                    "Start when the first subscriber is there, as a file and "
                                    "standard input do unless with --loop");
  verb.add_flag("--no-wait", options->no_wait, "Start at once")->excludes(wait);
  verb.add_option("--meta", options->meta,
                  "An attribute of the stream, as often as needed: camera=left, 'exposure=250 us'")
      ->check([](const std::string& text) {
        return parse_attribute(text) ? std::string() : "KEY=VALUE, or 'KEY=NUMBER UNIT'";
      })
      ->type_name("KEY=VALUE");
  verb.add_option("--linger", options->linger_s,
                  "Seconds to stay after the last frame, while there are subscribers")
      ->check(seconds_range())
      ->capture_default_str();
  verb.add_flag("--json", options->json, "Print the summary as JSON");
  add_shm_dir(verb, options->shm_dir);
  add_aeron_dir(verb, options->aeron_dir);
  add_deployment(verb, options->deployment);
  verb.footer(R"(Examples:
  tp pub cam1 --from my.fits                 a FITS cube, frame by frame, at 100 Hz
  tp pub cam1 --from stack.npy --hz 1000 --loop
  tp pub cam1 --sim camera --hz 2000
  tp pub cam1 --from v4l2:/dev/video0 --format YUYV --shape 480,640
  ffmpeg -i in.mp4 -f rawvideo -pix_fmt rgb24 - | tp pub cam1 --from - --shape 480,640,3 --dtype u1

Attaches to the driver where one runs (`tp up`), and has it make a stream that takes these frames.
Without one the files are the publisher's own, and a media driver is brought along when none runs.
Received with `tp sub cam1`.)");
  verb.callback([options, &action] {
    if (options->from.empty() && options->simulation.empty()) {
      throw CLI::RequiredError("--from or --sim");
    }
    action = [options] { return run_pub(*options); };
  });
}

}  // namespace tensorpool::inline v0::apps
