// Who consumes a stream, how each wants to be served, and which streams of their own they have.
// Spec: §1.15.2 (W293..W322); 2-driver.md §2.15 (D248..D257).
//
// A producer has one for its stream. Where it answers hellos itself (`responds`), the machine
// decides about requests; where somebody else does (W293), it follows that one's ConsumerConfig
// (W317) and takes only the way of delivery from hellos (W296).
//
// Nobody tells a standalone producer that a supervisor has come. So one that answers, and hears
// that another one answers too, steps back: it follows, until hellos have gone unanswered for the
// stale timeout (docs/adr/0033).
//
// Pure: decides and remembers, opens nothing. After every input the caller drains `next_action()`
// and carries each action out; kAddPublication is answered by `on_added`, now or later, unless
// kClosePublication for the same stream came first. Adding is slow, and one consumer's does not
// hold up another's.
//
// | state of (stream, consumer) | input                       | actions           | next            |
// | --------------------------- | --------------------------- | ----------------- | --------------- |
// | unknown                     | hello, table full           | answer declines   | unknown         |
// | unknown                     | hello                       | as for shared     | shared          |
// | shared, never owed answers  | hello without request       | -                 | shared          |
// | the same                    | its first one (2)           | send config       | shared          |
// | shared, owed one before     | hello without request       | send config       | shared          |
// | shared                      | hello, request refused      | send config       | shared          |
// | shared                      | hello, request allowed      | add               | adding          |
// | shared, declined            | same request again          | send same config  | shared          |
// | adding                      | same request again          | -                 | adding          |
// | adding                      | added                       | send config       | assigned        |
// | adding                      | cannot be added             | send config       | shared          |
// | assigned                    | same request again          | send same config  | assigned        |
// | adding, assigned            | other request               | close, as shared  | see above       |
// | adding, assigned            | hello without request       | close, send config | shared         |
// | any                         | QosConsumer                 | -                 | same            |
// | any                         | config of another responder | close, add        | assigned, shared |
// | adding, by such a config    | cannot be added             | -                 | shared (1)      |
// | adding, assigned            | one that gives it to another | close            | shared          |
// | any                         | silent, or lease ended      | close             | unknown         |
//
// (1) the same config adds again, also where no place was found: the consumer is listening there.
// (2) since this responder began to answer in the place of another one: see (4).
//
// | of the whole table | input                                             | next        |
// | ------------------ | ------------------------------------------------- | ----------- |
// | answers            | config of another responder                       | follows     |
// | answers            | set_responds(false)                               | follows (3) |
// | follows            | config of another responder                       | follows     |
// | follows            | hello that is owed an answer, or of one that the  | answers (4) |
// |                    | other has told: none answered for a stale timeout |             |
// | follows (3)        | set_responds(true)                                | answers (4) |
//
// Who goes from answering to following owes no answers, and tries what it has refused when it is
// told to by a config.
// (3) and no missing answer ends that.
// (4) what the other one has told ends: everybody whom he is known to have told something is sent a
// config, and everybody else is answered once, at his first hello.
//
// The table is kept for the descriptor and the control stream of each consumer, one apart from the
// other (W302): of what a hello or config changes, everything is closed before anything is added,
// so that a consumer may exchange its two streams. A config is sent when neither is being added; a
// hello that arrives meanwhile is answered by that config. Who opens no publications himself, a
// driver or a supervisor, answers every hello: consumers may still follow what his former life has
// told them.
//
// Thread contract: one thread at a time. Allocates: in proportion to `capacity` and channels.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fixed_vector.hpp"
#include "core/registration/own_stream.hpp"
#include "layout/messages_900.hpp"
#include "tensorpool/types/error.hpp"
#include "tensorpool/types/time.hpp"

namespace tensorpool::inline v0::core::registration {

/// Whom a registration is about (W310).
struct ConsumerKey {
  std::uint32_t stream_id = 0;
  std::uint32_t consumer_id = 0;
  friend auto operator<=>(const ConsumerKey&, const ConsumerKey&) = default;
};

/// One thing to do, in order. Views are valid until the next input.
struct ResponderAction {
  enum class Kind : std::uint8_t { kClosePublication, kAddPublication, kSendConfig };
  Kind kind = Kind::kSendConfig;
  ConsumerKey consumer = {};
  OwnKind which = OwnKind::kDescriptor;  ///< which publication
  std::uint32_t aeron_stream_id = 0;     ///< of what is to be added
  std::string_view channel = {};         ///< likewise
  layout::ConsumerConfig config = {};    ///< what is to be sent
};

/// A consumer that has said hello lately, as those see it who serve it.
struct LiveConsumer {
  ConsumerKey key = {};
  layout::Mode mode = layout::Mode::kStream;  ///< in force (W296)
  std::uint32_t max_rate_hz = 0;
  bool supports_progress = false;
  std::optional<std::uint32_t> progress_interval_us = {};
  std::optional<std::uint32_t> progress_bytes_delta = {};
  std::optional<std::uint32_t> progress_major_delta_units = {};
  std::uint32_t descriptor_stream_id = 0;  ///< of its own, open; 0: served on the shared one
  std::uint32_t control_stream_id = 0;     ///< likewise

  friend bool operator==(const LiveConsumer&, const LiveConsumer&) = default;
};

struct ResponderCounters {
  std::uint64_t hellos = 0;          ///< taken
  std::uint64_t hellos_ignored = 0;  ///< of other streams, or without a consumer (W295)
  std::uint64_t assigned = 0;        ///< streams, each once per assignment
  std::uint64_t expired = 0;         ///< consumers (W319, W322)
  std::uint64_t stepped_back = 0;    ///< how often another one was found to answer
  // Requests declined, by reason.
  std::uint64_t declined_off = 0;        ///< nobody gets one (D299)
  std::uint64_t declined_half = 0;       ///< W300, W301
  std::uint64_t declined_channel = 0;    ///< W304
  std::uint64_t declined_id = 0;         ///< beyond the range, or none left (W305, D252)
  std::uint64_t declined_taken = 0;      ///< W306
  std::uint64_t declined_full = 0;       ///< W307
  std::uint64_t declined_not_added = 0;  ///< W308
  [[nodiscard]] std::uint64_t declined() const noexcept {
    return declined_off + declined_half + declined_channel + declined_id + declined_taken +
           declined_full + declined_not_added;
  }
};

class Responder {
 public:
  /// What all consumers have to put up with (W298, W312..W314).
  struct Policy {
    std::optional<layout::Mode> forced_mode = {};
    bool allow_shm = true;
    std::string fallback_uri = {};
    [[nodiscard]] bool applies() const noexcept {
      return forced_mode.has_value() || !allow_shm || !fallback_uri.empty();
    }
  };
  /// Streams that everybody shares, or that serve something else: nobody gets them for himself.
  struct Taken {
    std::string transport = {};
    std::uint32_t stream_id = 0;
    std::uint32_t count = 1;  ///< so many, from that id on
    /// Others use them, or may: they are not granted. Who follows opens them all the same (W317).
    bool by_custom = false;

    [[nodiscard]] bool covers(std::uint32_t id) const noexcept {
      return id >= stream_id && id - stream_id < count;
    }
  };
  struct IdRange {
    std::uint32_t first = 0;
    std::uint32_t last = 0;
  };
  /// What is granted of one kind (D298). As it is: what was asked for.
  struct Grant {
    bool allowed = true;
    std::string channel = {};  ///< empty: the one that was asked for
    std::uint32_t base = 0;    ///< `base + consumer id % count`; 0: the id that was asked for
    std::uint32_t count = 0;
  };
  /// Where ids are handed out by the responder, the next free one each time (D250).
  struct HandedOut {
    std::vector<IdRange> descriptors = {};
    std::vector<IdRange> controls = {};
  };

  struct Options {
    std::uint32_t stream_id = 0;  ///< 0: of several streams, the caller sees to which
    bool responds = true;
    /// False: others open the publications, by the configs that this one sends, and every hello is
    /// answered (D294).
    bool adds_publications = true;
    /// What tells Aeron transports apart, for a channel that may be used for streams of one
    /// consumer: parseable and of an allowed kind (W304, W306). An error declines.
    std::function<Result<std::string>(std::string_view channel)> transport_of = {};
    std::vector<Taken> taken = {};
    std::array<Grant, 2> grants = {};  ///< by OwnKind
    std::optional<HandedOut> handed_out = {};
    std::size_t capacity = 256;                     ///< `max_consumers`
    Nanos stale_timeout = std::chrono::seconds(5);  ///< W319
    Policy policy = {};
  };

  /// Answers kInvalidArgument where no transport_of is given, the capacity is 0 or ids are granted
  /// out of none, kFallbackUnsupported for a fallback URI of another scheme (W314).
  [[nodiscard]] static Result<Responder> create(Options options);

  void on_hello(const layout::ConsumerHello& hello, Nanos now);
  void on_qos(const layout::QosConsumer& qos, Nanos now);
  /// A config that another responder has sent to a consumer: it is followed from now on.
  void on_config(const layout::ConsumerConfig& config, Nanos now);
  /// The answer to kAddPublication.
  void on_added(ConsumerKey consumer, OwnKind which, bool added);
  /// The config could not be sent: it comes again at a later poll.
  void on_config_unsent(ConsumerKey consumer);
  /// The consumer's lease under a driver has ended, by whatever route (W321).
  void on_lease_ended(ConsumerKey consumer);
  /// Whether hellos are answered from now on, or somebody else answers them. What was assigned
  /// before stays as it is until he says otherwise, or the consumer asks for something else.
  void set_responds(bool responds) noexcept;
  /// Another policy: everybody is told (W315).
  [[nodiscard]] Status set_policy(Policy policy);
  /// Looks for one consumer that is silent or has to be told something. True when there may be
  /// more: drain the actions and call again.
  [[nodiscard]] bool poll(Nanos now);
  /// Whether hellos are answered here at this time.
  [[nodiscard]] bool responds() const noexcept { return options_.responds && !stepped_back_; }

  /// The next thing to do, in order; nothing when all has been done.
  [[nodiscard]] std::optional<ResponderAction> next_action();

  /// Calls `visit(const LiveConsumer&)` for each registered consumer.
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (const Entry& entry : entries_) {
      visit(live(entry));
    }
  }
  [[nodiscard]] std::optional<LiveConsumer> find(ConsumerKey consumer) const;
  [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }
  /// Grows whenever something that for_each shows has changed (W351).
  [[nodiscard]] std::uint64_t generation() const noexcept { return generation_; }
  [[nodiscard]] const ResponderCounters& counters() const noexcept { return counters_; }
  [[nodiscard]] Nanos next_deadline() const noexcept { return look_at_; }
  [[nodiscard]] bool check_invariants() const;

 private:
  enum class OwnState : std::uint8_t { kShared, kAdding, kOpen };
  /// One stream of a consumer: what it asked for last, and what became of that.
  struct Own {
    OwnStream request = {};
    OwnState state = OwnState::kShared;
    std::uint32_t stream_id = 0;  ///< to be used; 0 while kShared
    std::string channel = {};     ///< likewise
    std::string transport = {};   ///< of the channel; likewise
  };
  using Requests = std::array<OwnStream, 2>;
  struct Entry {
    ConsumerKey key = {};
    Nanos heard_at{};
    bool supports_shm = true;
    bool refuses_layout = false;  ///< expects another one than ours (W316)
    bool answer_owed = false;
    bool told = false;     ///< was owed an answer once, which may be lost: each hello has one
    bool greeted = false;  ///< has said hello since this one began to answer
    std::optional<layout::Mode> configured = {};  ///< by another responder (W296)
    LiveConsumer said = {};                       ///< in its hello
    std::array<Own, 2> own = {};
  };

  explicit Responder(Options options);
  [[nodiscard]] bool serves(ConsumerKey key) const noexcept;
  [[nodiscard]] Entry* entry(ConsumerKey key);
  [[nodiscard]] Entry* enter(ConsumerKey key, Nanos now);
  void take_hello(Entry& to, const layout::ConsumerHello& hello);
  void take_requests(Entry& of, const Requests& requests);
  void assign(Entry& of, OwnKind which);
  [[nodiscard]] bool is_owed_answer(const Entry& by, const Requests& requests) const noexcept;
  void step_back();
  void come_forward_when_missed(Nanos now);
  void cease_to_answer() noexcept;
  void begin_to_answer() noexcept;
  [[nodiscard]] bool place(ConsumerKey key, OwnKind which, Own& own);
  [[nodiscard]] Result<std::string> transport_of(const Grant& grant, const Own& own) const;
  [[nodiscard]] std::uint32_t choose_id(ConsumerKey key, OwnKind which, const Own& own);
  [[nodiscard]] std::uint32_t next_free_id(OwnKind which, const Own& own);
  [[nodiscard]] bool is_customary(const std::string& on, std::uint32_t id) const;
  [[nodiscard]] bool is_taken(const Own& by, const std::string& on, std::uint32_t id) const;
  void take_from_others(const Own& by, const std::string& on, std::uint32_t id);
  void give_up(Entry& of, OwnKind which);
  void answer_when_settled(Entry& of);
  void answer_newcomer_in_vain(const layout::ConsumerHello& hello);
  [[nodiscard]] layout::ConsumerConfig config_for(const Entry& of) const;
  [[nodiscard]] LiveConsumer live(const Entry& of) const;
  void forget(Entry& entry);
  void push(const ResponderAction& action);

  Options options_;
  std::vector<Entry> entries_;
  std::array<std::uint32_t, 2> next_id_{};  ///< round robin through the ranges
  bool owes_answers_ = false;
  bool greets_ = false;                         ///< has begun to answer in the place of another one
  bool stepped_back_ = false;                   ///< another one answers
  std::optional<Nanos> unanswered_since_ = {};  ///< while he does: the first hello that he did not
  Nanos look_at_ = Nanos::max();                ///< no consumer is stale before
  std::uint64_t generation_ = 0;
  ResponderCounters counters_;
  base::FixedVector<ResponderAction, 8> actions_;
  std::size_t drained_ = 0;
};

}  // namespace tensorpool::inline v0::core::registration
