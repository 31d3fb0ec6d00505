// tp view: the newest frame of a stream as an image in the terminal, or as a PNG file.
//
// On a terminal it fills the screen and follows the stream at --hz. With --once, and where standard
// output is none, it prints one image. What is shown was copied and confirmed first.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "apps/console.hpp"
#include "apps/files/png.hpp"
#include "apps/follow.hpp"
#include "apps/options.hpp"
#include "apps/output.hpp"
#include "apps/sources/pixel_format.hpp"
#include "apps/stop.hpp"
#include "apps/terminal.hpp"
#include "apps/text.hpp"
#include "apps/verbs.hpp"
#include "apps/view/image.hpp"
#include "apps/view/render.hpp"
#include "apps/view/screen.hpp"
#include "os/clock.hpp"

namespace tensorpool::inline v0::apps {
namespace {

constexpr Nanos kLookAgain = std::chrono::milliseconds(50);
constexpr std::size_t kRowsOnce = 48;
constexpr std::size_t kColumnsOnce = 80;

struct ViewOptions {
  FollowOptions follow;
  bool once = false;
  std::string png;
  std::string plane;
  std::string as;
  std::string range;
  std::string palette = "grey";
  std::string depth;
  bool full = false;
  bool logarithmic = false;
  double hz = 10;
  std::size_t columns = 0;
};

/// A frame that was copied whole, and what is known of it.
struct Taken {
  std::vector<std::byte> bytes;
  TensorInfo info;
  std::uint64_t seq = 0;
  view::ImageOptions meaning;  ///< but for the plane
};

class View {
 public:
  View(const ViewOptions& options, view::Controls controls, view::Depth depth, Follower& follower,
       const std::atomic<bool>& stop, Console& console)
      : options_(options),
        controls_(std::move(controls)),
        depth_(depth),
        follower_(follower),
        stop_(stop),
        console_(console) {}

  /// Waits for a frame, and prints it or writes it.
  [[nodiscard]] ExitCode show_one() {
    while (!take_newest()) {
      if (!keep_waiting()) {
        console_.error("no frame came");
        return ExitCode::kFailed;
      }
      static_cast<void>(follower_.wait(kLookAgain));
    }
    const Status shown = options_.png.empty() ? print_image() : write_image();
    if (!shown) {
      console_.error(shown.error());
      return ExitCode::kFailed;
    }
    return ExitCode::kFine;
  }

  [[nodiscard]] ExitCode follow(Terminal& terminal) {
    const Nanos period = from_seconds(1 / options_.hz);
    heard_ = clock_.mono();
    Nanos due{};
    bool goes_on = true;
    while (goes_on && !stop_.load(std::memory_order_relaxed)) {
      const Nanos now = clock_.mono();
      if (now >= due) {
        due = now + period;
        heard_ = !controls_.paused && take_newest() ? now : heard_;
        goes_on = draw(terminal, now) && (controls_.paused || !is_overdue(now));
      }
      std::vector<Key> keys;
      const Terminal::Heard heard = terminal.listen(due - now, keys);
      goes_on = goes_on && heard != Terminal::Heard::kGone;
      for (const Key& key : keys) {
        goes_on = goes_on && obey(key);
        due = Nanos{0};
      }
    }
    return frame_ ? ExitCode::kFine : ExitCode::kFailed;
  }

 private:
  [[nodiscard]] bool is_overdue(Nanos now) const {
    return options_.follow.timeout_s > 0 && to_seconds(now - heard_) >= options_.follow.timeout_s;
  }

  /// False when there is none, or it was overwritten meanwhile.
  [[nodiscard]] bool take_newest() {
    const std::optional<FrameView> frame = follower_.next(true);
    if (!frame) {
      return false;
    }
    const FrameLease lease = frame->keep();
    Taken taken{.bytes = std::vector<std::byte>(frame->bytes().size()),
                .info = frame->info(),
                .seq = frame->seq(),
                .meaning = {}};
    if (lease.view().copy_to(taken.bytes) != CopyStatus::kCopied) {
      return false;
    }
    if (const auto meta = lease.meta()) {
      taken.meaning.extended = extended_dtype(*meta);
      const auto name = meta->text(sources::kPixelFormatAttribute);
      const auto format = name ? sources::find_pixel_format(*name) : std::nullopt;
      if (format) {
        taken.meaning.colour = format->colour;
      }
    }
    if (!options_.as.empty()) {
      taken.meaning.colour = view::parse_colour(options_.as);
    }
    frame_ = std::move(taken);
    return true;
  }

  [[nodiscard]] bool keep_waiting() {
    const Nanos now = clock_.mono();
    heard_ = heard_ == Nanos{0} ? now : heard_;
    follower_.look_around(now);
    return !stop_.load(std::memory_order_relaxed) && !is_overdue(now) && !follower_.has_ended(now);
  }

  /// Of the frame at hand, in the plane that is wanted.
  [[nodiscard]] Result<view::Image> image() {
    view::ImageOptions meaning = frame_->meaning;
    Result<view::Image> first = view::Image::create(frame_->info, frame_->bytes, meaning);
    if (!first) {
      return first;
    }
    if (!plane_chosen_) {
      if (const auto index = view::parse_plane(options_.plane)) {
        meaning.plane = *index;
        if (const auto there = view::Image::create(frame_->info, frame_->bytes, meaning); !there) {
          return fail(there.error());
        }
        controls_.plane = view::plane_number(*index, first->plane_extents());
      }
      plane_chosen_ = true;
    }
    meaning.plane = view::plane_index(controls_.plane, first->plane_extents());
    return view::Image::create(frame_->info, frame_->bytes, meaning);
  }

  [[nodiscard]] std::string title() const {
    return fmt::format("{}  frame {}  {}{}", options_.follow.stream, grouped(frame_->seq),
                       tensor_text(frame_->info), controls_.paused ? "  paused" : "");
  }

  [[nodiscard]] Status print_image() {
    const Result<view::Image> shown = image();
    if (!shown) {
      return fail(shown.error());
    }
    const std::size_t columns = options_.columns != 0 ? options_.columns : kColumnsOnce;
    const std::vector<std::string> lines =
        view::compose(*shown, controls_, title(),
                      {.rows = options_.columns != 0 ? columns : kRowsOnce,
                       .columns = columns,
                       .depth = depth_,
                       .keys = false});
    for (const std::string& line : lines) {
      if (!put_line(line)) {
        break;  // whoever read it has gone
      }
    }
    return {};
  }

  [[nodiscard]] Status write_image() {
    const Result<view::Image> shown = image();
    if (!shown) {
      return fail(shown.error());
    }
    const view::Shading shading(controls_.shading, view::measure(*shown));
    const view::Raster raster = view::draw(*shown, shading);
    const bool grey = shown->is_mono() && controls_.shading.palette == view::Palette::kGrey;
    std::vector<std::byte> samples;
    samples.reserve(raster.pixels.size() * (grey ? 1 : 3));
    for (const view::Rgb& pixel : raster.pixels) {
      samples.push_back(std::byte{pixel.red});
      if (!grey) {
        samples.push_back(std::byte{pixel.green});
        samples.push_back(std::byte{pixel.blue});
      }
    }
    const Status written =
        files::write_png(options_.png, static_cast<std::uint32_t>(raster.rows),
                         static_cast<std::uint32_t>(raster.columns), grey ? 1 : 3, samples);
    if (written) {
      console_.note(fmt::format("frame {} written to {}: {} x {}, {:.6g} to {:.6g} as 0 to 255",
                                grouped(frame_->seq), options_.png, raster.rows, raster.columns,
                                shading.low(), shading.high()));
    }
    return written;
  }

  /// False when the terminal has gone.
  [[nodiscard]] bool draw(Terminal& terminal, Nanos now) {
    if (!frame_) {
      return terminal.draw({fmt::format("{}: no frame yet", options_.follow.stream)});
    }
    const Result<view::Image> shown = image();
    if (!shown) {
      return terminal.draw({title(), describe(shown.error())});
    }
    std::string first = title();
    constexpr Nanos kQuiet = std::chrono::seconds(2);
    if (!controls_.paused && now - heard_ > kQuiet) {
      first += fmt::format("  nothing new for {:.0f} s", to_seconds(now - heard_));
    }
    const Terminal::Size size = terminal.size();
    return terminal.draw(view::compose(
        *shown, controls_, first, {.rows = size.rows, .columns = size.columns, .depth = depth_}));
  }

  /// False when it is to end.
  [[nodiscard]] bool obey(const Key& key) {
    const Result<view::Image> shown =
        frame_ ? image() : fail(Errc::kNotFound, options_.follow.stream);
    if (!shown) {
      return key.character != 'q' && key.kind != Key::Kind::kEscape;
    }
    return view::on_key(key, *shown, controls_) != view::Asked::kQuit;
  }

  const ViewOptions& options_;
  view::Controls controls_;
  view::Depth depth_;
  Follower& follower_;
  const std::atomic<bool>& stop_;
  Console& console_;
  const os::SystemClock clock_;
  std::optional<Taken> frame_;
  bool plane_chosen_ = false;
  Nanos heard_{};
};

[[nodiscard]] Result<view::Controls> controls_of(const ViewOptions& options) {
  view::Controls controls;
  controls.shading.logarithmic = options.logarithmic;
  controls.shading.palette = view::parse_palette(options.palette).value_or(view::Palette::kGrey);
  controls.shading.stretch = options.full ? view::Stretch::kFull : view::Stretch::kPercentiles;
  if (!options.range.empty()) {
    const char* const text = options.range.c_str();
    char* end = nullptr;
    controls.shading.low = std::strtod(text, &end);
    const bool pair = *end == ',';
    controls.shading.high = pair ? std::strtod(end + 1, &end) : 0;
    if (!pair || *end != '\0' || !(controls.shading.high > controls.shading.low)) {
      return fail(Errc::kInvalidArgument, "--range " + options.range + ": LOW,HIGH");
    }
    controls.shading.stretch = view::Stretch::kFixed;
  }
  return controls;
}

[[nodiscard]] view::Depth depth_for(const ViewOptions& options) {
  if (options.depth.empty()) {
    return ::isatty(STDOUT_FILENO) == 1
               ? view::depth_of(std::getenv("COLORTERM"), std::getenv("TERM"),
                                std::getenv("NO_COLOR"))
               : view::Depth::kText;
  }
  return options.depth == "true"  ? view::Depth::kTrueColour
         : options.depth == "256" ? view::Depth::k256
                                  : view::Depth::kText;
}

ExitCode run_view(const ViewOptions& options) {
  Console console("view");
  const std::atomic<bool>& stop = catch_stop_signals();
  const Result<view::Controls> controls = controls_of(options);
  if (!controls) {
    console.error(controls.error());
    return ExitCode::kUsage;
  }
  Result<Follower> follower = Follower::create(options.follow, stop, console);
  if (!follower) {
    if (follower.error().code != Errc::kClosed) {  // stopped: nothing to say
      console.error(follower.error());
    }
    return ExitCode::kFailed;
  }
  View view(options, *controls, depth_for(options), *follower, stop, console);
  if (options.once || !options.png.empty() || !Terminal::is_there()) {
    return view.show_one();
  }
  ExitCode code = ExitCode::kFine;
  {
    Result<Terminal> terminal = Terminal::open();
    if (!terminal) {
      console.error(terminal.error());
      return ExitCode::kFailed;
    }
    code = view.follow(*terminal);
  }
  if (code != ExitCode::kFine) {
    console.error("no frame came");
  }
  return code;
}

}  // namespace

void add_view(CLI::App& tp, Action& action) {
  CLI::App& verb = *tp.add_subcommand("view", "Show the newest frame in the terminal, or as PNG");
  const auto options = std::make_shared<ViewOptions>();
  verb.add_option("NAME", options->follow.stream, "Name of the stream, or its number")->required();
  options->follow.direct =
      true;  // what lies in the ring is shown, also when nothing comes any more
  verb.add_flag("--once", options->once, "Print one frame and end");
  verb.add_option("--png", options->png, "Write one frame to a file, as it would be shown")
      ->type_name("FILE");
  verb.add_option("--plane", options->plane,
                  "Which plane of more than two dimensions: an index for each of those before rows "
                  "and columns [0]")
      ->type_name("INDEX,…")
      ->check([](const std::string& text) {
        return view::parse_plane(text) ? std::string() : text + ": INDEX,INDEX,…";
      });
  verb.add_option("--as", options->as,
                  "What the elements are: mono, rgb, bgr, yuyv, uyvy, or a Bayer mosaic by its "
                  "first four: rggb, bggr, grbg, gbrg [by attribute pixel_format, else by shape]")
      ->check(
          CLI::IsMember({"mono", "rgb", "bgr", "yuyv", "uyvy", "rggb", "bggr", "grbg", "gbrg"}));
  CLI::Option* range =
      verb.add_option("--range", options->range,
                      "Values that are shown darkest and brightest [all but half a percent at "
                      "each end]")
          ->type_name("LOW,HIGH");
  verb.add_flag("--full", options->full, "From the least value to the greatest")->excludes(range);
  verb.add_flag("--log", options->logarithmic, "Brightness by the logarithm");
  verb.add_option("--colours", options->palette,
                  "Colours of images that have none: grey, viridis, hot, rainbow")
      ->check(CLI::IsMember({"grey", "viridis", "hot", "rainbow"}))
      ->capture_default_str();
  verb.add_option("--depth", options->depth,
                  "What the terminal can show: true, 256 or text [by COLORTERM and TERM]")
      ->check(CLI::IsMember({"true", "256", "text"}));
  verb.add_option("--hz", options->hz, "How often to look for a newer frame")
      ->check(CLI::Range(0.1, 100.0, "HZ"))
      ->capture_default_str();
  verb.add_option("--columns", options->columns, "Width of what --once prints [80]")
      ->check(CLI::Range(2, 10'000, "COLUMNS"));
  add_follow_places(verb, options->follow);
  verb.footer(R"(Examples:
  tp view cam1                        the newest frame, ten times a second
  tp view cam1 --colours viridis --log
  tp view cam1 --png now.png          as a file
  tp view cube --plane 3 --once       one plane, printed

Keys: q quit, space pause, c colours, l logarithm, s stretch, h histogram, arrows (and HJKL, faster)
move the cursor, whose value is told, x takes it away, n and p change the plane.)");
  verb.callback([options, &action] { action = [options] { return run_view(*options); }; });
}

}  // namespace tensorpool::inline v0::apps
