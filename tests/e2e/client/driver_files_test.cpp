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
