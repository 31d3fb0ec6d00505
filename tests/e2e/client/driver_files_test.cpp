// What clients of a driver do with its files, its paths and its settings: frames and activity, and
// nothing else.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <array>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <tuple>

#include "driver_fixture.hpp"
#include "layout/limits.hpp"
#include "layout/superblock.hpp"
#include "support/requirement.hpp"

namespace tensorpool::test {
namespace {

using Kind = ConsumerEvent::Kind;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class DriverFiles : public DriverTest {
 protected:
  using Superblock = std::array<char, layout::kSuperblockBytes>;
  /// Which file it is, its length, its permissions, and its superblock without the activity.
  using File = std::tuple<ino_t, off_t, mode_t, Superblock>;

  [[nodiscard]] static std::map<std::string, File> look(const std::string& below) {
    std::map<std::string, File> found;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(below)) {
      struct stat status {};
      EXPECT_EQ(::lstat(entry.path().c_str(), &status), 0);
      Superblock block{};
      if (entry.is_regular_file()) {
        std::ifstream(entry.path(), std::ios::binary).read(block.data(), block.size());
        std::memset(block.data() + offsetof(layout::Superblock, activity_timestamp_ns), 0,
                    sizeof(layout::Superblock::activity_timestamp_ns));
      }
      found[entry.path()] = {status.st_ino, status.st_size, status.st_mode, block};
    }
    return found;
  }
  /// What the driver says to a producer that wants such pages.
  [[nodiscard]] std::string refusal_with(Hugepages pages) {
    ClientOptions particular = tenant_options();
    particular.regions.hugepages = pages;
    Result<Client> client = Client::create(particular);
    EXPECT_TRUE(client) << describe(client.error());
    ProducerLog events;
    StreamOptions wanted = stream();
    wanted.on_event = events.sink();
    const Producer refused = produce(*client, wanted);
    EXPECT_TRUE(eventually([&] { return events.count(ProducerEvent::Kind::kAttachFailed) != 0; }));
    const auto failures = events.of(ProducerEvent::Kind::kAttachFailed);
    return failures.empty() ? "" : failures[0].text;
  }
  /// Memory of this process that is locked.
  [[nodiscard]] static std::uint64_t locked_kib() {
    std::ifstream status("/proc/self/status");
    for (std::string key; status >> key;) {
      if (std::uint64_t kib = 0; key == "VmLck:" && status >> kib) {
        return kib;
      }
    }
    return 0;
  }
  [[nodiscard]] std::string shm() const { return scratch_.path() + "/shm"; }
};

TEST_F(DriverFiles, clients_write_frames_and_activity_and_change_no_file_or_directory) {
  TP_REQ("D29", "D30", "D32", "D235");
  const Driver driver = start_driver();
  Client client = attach_client();
  Producer producer = tenant(client);
  const auto before = look(shm());
  ASSERT_THAT(before, Not(IsEmpty()));
  {
    Consumer consumer = consume(client, reader());
    ASSERT_TRUE(joined(producer, consumer));
    publish(producer, 100);
    EXPECT_TRUE(wait_next(consumer));
  }
  EXPECT_EQ(look(shm()), before);
}

TEST_F(DriverFiles, clients_remove_no_epoch_neither_theirs_nor_an_earlier_one) {
  TP_REQ("W414");
  DriverOptions keeping = driver_options();
  keeping.config.insert(keeping.config.find("[profiles.small]"), "epoch_gc_enabled = false\n");
  const Driver driver = start_driver(keeping);
  std::set<std::string> seen;
  std::set<std::uint64_t> epochs;
  for (int life = 0; life < 2; ++life) {
    Client client = attach_client();
    Producer producer = tenant(client);
    Consumer consumer = consume(client, reader());
    ASSERT_TRUE(joined(producer, consumer));
    epochs.insert(producer.epoch());
    for (const auto& [path, file] : look(shm())) {
      seen.insert(path);
    }
  }
  EXPECT_EQ(epochs.size(), 2U);
  for (const std::string& path : seen) {
    EXPECT_TRUE(std::filesystem::exists(path)) << path;
  }
}

TEST_F(DriverFiles, a_driver_that_names_files_elsewhere_is_not_believed) {
  TP_REQ("D39");
  const Driver driver = start_driver();
  Client producing = attach_client();
  const Producer producer = tenant(producing);
  ClientOptions wary = tenant_options();
  wary.allowed_base_dirs = {"/tmp"};
  Result<Client> client = Client::create(wary);
  ASSERT_TRUE(client) << describe(client.error());
  EventLog events;
  ConsumerOptions wanted = reader();
  wanted.on_event = events.sink();
  const Consumer sut = consume(*client, wanted);
  ASSERT_TRUE(eventually([&] { return events.count(Kind::kAttachFailed) != 0; }));
  EXPECT_EQ(events.of(Kind::kAttachFailed)[0].error.code, Errc::kPathRejected);
  EXPECT_EQ(sut.state(), MappingState::kUnmapped);
}

/// Sets a variable of the environment while it lives.
class Variable {
 public:
  Variable(std::string name, const std::string& value) : name_(std::move(name)) {
    ::setenv(name_.c_str(), value.c_str(), 1);
  }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;
  ~Variable() { ::unsetenv(name_.c_str()); }

 private:
  std::string name_;
};

TEST_F(DriverFiles, clients_take_nothing_from_the_variables_of_the_driver) {
  TP_REQ("D335");
  const Driver driver = start_driver();
  const Variable control("DRIVER_CONTROL_STREAM_ID", "4000");
  const Variable announce("DRIVER_ANNOUNCE_STREAM_ID", "4001");
  const Variable base("SHM_BASE_DIR", "/nowhere");
  const Variable allowed("SHM_ALLOWED_BASE_DIRS", "/nowhere");
  Client client = attach_client();
  Producer producer = tenant(client);
  Consumer consumer = consume(client, reader());
  EXPECT_TRUE(joined(producer, consumer));
}

TEST_F(DriverFiles, clients_that_require_hugepages_say_so_and_believe_nobody_without) {
  TP_REQ("D122");
  const Driver driver = start_driver();
  EXPECT_EQ(refusal_with(Hugepages::kRequired), "hugepages required but unavailable");
}

TEST_F(DriverFiles, clients_that_want_ordinary_pages_ask_for_them) {
  TP_REQ("D123");
  DriverOptions huge = driver_options();
  huge.config.replace(huge.config.find("[shm]\n"), 6, "[shm]\nrequire_hugepages = true\n");
  const Driver driver = start_driver(huge);
  EXPECT_EQ(refusal_with(Hugepages::kForbidden), "hugepages required by driver policy");
}

TEST_F(DriverFiles, larger_files_than_needed_are_right) {
  TP_REQ("D128");
  const Driver driver = start_driver();
  Client client = attach_client();
  Producer producer = tenant(client);
  for (const std::string& file : region_files()) {
    std::filesystem::resize_file(file, std::filesystem::file_size(file) + 4096);
  }
  Client consuming = attach_client();
  Consumer consumer = consume(consuming, reader());
  EXPECT_TRUE(joined(producer, consumer));
}

TEST_F(DriverFiles, clients_that_lock_their_memory_have_it_locked_while_they_map_it) {
  TP_REQ("D209");
  const Driver driver = start_driver();
  ClientOptions locking = tenant_options();
  locking.regions.lock_memory = true;
  Result<Client> client = Client::create(locking);
  ASSERT_TRUE(client) << describe(client.error());
  const std::uint64_t before = locked_kib();
  {
    const Producer sut = tenant(*client);
    EXPECT_GE(locked_kib(), before + 16 * 4);
  }
  EXPECT_EQ(locked_kib(), before);
}

TEST_F(DriverFiles, clients_have_the_times_that_they_are_given) {
  TP_REQ("D334");
  const Driver driver = start_driver();  // whose leases last for a minute
  ClientOptions given = tenant_options();
  given.leases.keepalive_interval = std::chrono::milliseconds(30);
  Result<Client> client = Client::create(given);
  ASSERT_TRUE(client) << describe(client.error());
  const Producer sut = tenant(*client);
  const auto keepalives = [&] {
    return ask({.operation = admin::Operation::kCounters})["counters"]["Keepalives"]
        .get<std::uint64_t>();
  };
  EXPECT_TRUE(eventually([&] { return keepalives() >= 5; }));
  given.leases.attach_timeout = Nanos{0};
  Result<Client> wrong = Client::create(given);
  ASSERT_TRUE(wrong);
  EXPECT_EQ(wrong->create_producer(stream("cam2")).error().subject_view(), "attach_timeout_ms");
}

TEST_F(DriverFiles, both_sides_open_their_streams_with_the_same_channels_unless_told_otherwise) {
  TP_REQ("D28");
  const Driver driver = start_driver();
  const auto said = ask({.operation = admin::Operation::kStatus});
  EXPECT_EQ(said["control"]["channel"], Channels{}.control_channel);
  EXPECT_EQ(said["control"]["stream_id"], Channels{}.control_stream_id);
  EXPECT_EQ(said["announce"]["channel"], Channels{}.control_channel);
}

}  // namespace
}  // namespace tensorpool::test
