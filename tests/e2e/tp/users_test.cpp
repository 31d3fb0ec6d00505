// Several users and one driver, as processes with their own credentials; and what somebody planted
// where a driver wants to be. Needs root, which becomes all of them.
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>
#include <tuple>

#include "support/requirement.hpp"
#include "tp_process.hpp"

namespace tensorpool::test {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using ::testing::HasSubstr;

constexpr gid_t kLab = 4242;    // who may use the driver
constexpr gid_t kVideo = 5001;  // who may look at cam
constexpr uid_t kAlice = 41001;
constexpr uid_t kBob = 41002;
constexpr uid_t kEve = 41003;

/// A user and his groups.
struct Person {
  uid_t user = 0;
  std::vector<gid_t> groups = {};
};
const Person kRoot{};
const Person kProducer{.user = kAlice, .groups = {kLab}};
const Person kReader{.user = kBob, .groups = {kLab, kVideo}};
const Person kColleague{.user = kEve, .groups = {kLab}};
const Person kStranger{.user = kEve, .groups = {}};

class TpUsers : public TpTest {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) {
      TP_SKIP_WITHOUT("root");
    }
    fs::permissions(path(""), fs::perms(0711));  // others get through, as in /dev/shm
    configure(
        "owner = \"41001\"\ngroup = \"5001\"\nmode = \"640\"\n"
        "producers = [ \"41001\" ]\nconsumers = [ \"@5001\" ]\n");
  }
  void configure(const std::string& access, const std::string& group = "4242") const {
    std::ofstream(path("driver.toml"))
        << "[driver]\ngroup = \"" << group << "\"\nannounce_stream_id = 1001\n"
        << "stream_id_range = \"20000-20003\"\n[shm]\nbase_dir = \"" << path("shm") << "\"\n"
        << "[policies]\nallow_dynamic_streams = true\nshutdown_timeout_ms = 100\n"
        << "[profiles.small]\nheader_nslots = 8\n"
        << "payload_pools = [ { pool_id = 1, stride_bytes = 4096 } ]\n"
        << "[streams.cam]\nstream_id = 10000\nprofile = \"small\"\n"
        << access;
  }
  [[nodiscard]] std::unique_ptr<TpProcess> as(const Person& who, const Arguments& arguments) {
    Surroundings where = surroundings();
    where.user = who.user;
    where.groups = who.groups;
    return std::make_unique<TpProcess>(arguments, where);
  }
  [[nodiscard]] std::unique_ptr<TpProcess> up() {
    auto driver = start({"up", "--config", path("driver.toml")});
    EXPECT_TRUE(driver->says("is ready")) << driver->err();
    return driver;
  }
  [[nodiscard]] std::unique_ptr<TpProcess> attach(const Person& who, const Arguments& more) {
    Arguments all = {"attach", "--json", "--allowed-dir", path("shm")};
    all.insert(all.end(), more.begin(), more.end());
    return as(who, all);
  }
  /// The first event of this kind, once it is there.
  [[nodiscard]] static std::optional<Json> event(const TpProcess& client, const std::string& kind) {
    std::optional<Json> found;
    EXPECT_TRUE(eventually(
        [&] {
          for (const Json& line : json_lines(client.out())) {
            if (!found && line.is_object() && line.value("event", "") == kind) {
              found = line;
            }
          }
          return found.has_value();
        },
        kRest))
        << kind << " has not come: " << client.out() << client.err();
    return found;
  }
  /// `640 41001:5001`.
  [[nodiscard]] static std::string access_of(const fs::path& file) {
    struct stat found {};
    EXPECT_EQ(::lstat(file.c_str(), &found), 0) << file;
    std::array<char, 64> text{};
    std::snprintf(text.data(), text.size(), "%o %u:%u", found.st_mode & 07777, found.st_uid,
                  found.st_gid);
    return text.data();
  }
  [[nodiscard]] static fs::path ring_of(const Json& attached) {
    return attached["header_region_uri"].get<std::string>().substr(14);
  }
};

TEST_F(TpUsers, each_may_do_what_is_his_to_do) {
  TP_REQ("D195", "D196");
  const auto driver = up();
  const auto producer = attach(kProducer, {"10000", "--role", "producer"});
  const auto attached = event(*producer, "attached");
  ASSERT_TRUE(attached);
  const fs::path ring = ring_of(*attached);
  EXPECT_EQ(access_of(ring), "640 41001:5001");
  EXPECT_EQ(access_of(ring.parent_path() / "1.pool"), "640 41001:5001");
  EXPECT_EQ(access_of(ring.parent_path()), "2751 0:5001")
      << "nobody but the driver puts files here";
  EXPECT_EQ(access_of(ring.parent_path().parent_path()), "2751 0:5001");
  EXPECT_EQ(access_of(path("shm/tensorpool-root")), "2771 0:4242");
  const auto reader = attach(kReader, {"10000"});
  ASSERT_TRUE(event(*reader, "attached"));
  EXPECT_EQ(as(kReader, {"info", ring})->wait(), 0);
  EXPECT_EQ(as(kColleague, {"info", ring})->wait(), 1) << "not his to read";

  const auto usurper = attach(kReader, {"10000", "--role", "producer", "--once"});
  EXPECT_EQ(usurper->wait(), 1);
  EXPECT_THAT(event(*usurper, "refused")->value("text", ""), HasSubstr("not permitted"));
  const auto onlooker = attach(kColleague, {"10000", "--once"});
  EXPECT_EQ(onlooker->wait(), 1);
  EXPECT_THAT(event(*onlooker, "refused")->value("text", ""), HasSubstr("not permitted"));
  EXPECT_TRUE(driver->says("refused: admin: {\"op\":\"attach.pass\""));
}

TEST_F(TpUsers, share_streams_that_are_nobodys_in_particular) {
  const auto driver = up();
  const auto producer = attach(kColleague, {"20000", "--role", "producer", "--create"});
  const auto attached = event(*producer, "attached");
  ASSERT_TRUE(attached);
  EXPECT_EQ(access_of(ring_of(*attached)), "660 0:4242");
  const auto reader = attach(kReader, {"20000"});
  EXPECT_TRUE(event(*reader, "attached"));
}

TEST_F(TpUsers, may_ask_but_not_take_away_what_others_have) {
  const auto driver = up();
  const auto producer = attach(kProducer, {"10000", "--role", "producer"});
  const auto attached = event(*producer, "attached");
  ASSERT_TRUE(attached);
  const std::string lease = (*attached)["lease_id"].dump();
  EXPECT_EQ(as(kColleague, {"ls"})->wait(), 0);
  EXPECT_EQ(as(kColleague, {"gc", "--dry-run"})->wait(), 0);
  for (const Arguments& order : {Arguments{"revoke", lease}, Arguments{"gc"}, Arguments{"down"}}) {
    const auto refused = as(kColleague, order);
    EXPECT_EQ(refused->wait(), 1) << order.front();
    EXPECT_THAT(refused->err(), HasSubstr("permission_rejected"));
  }
  EXPECT_TRUE(driver->says("by process"));
  EXPECT_THAT(driver->err(), HasSubstr("refused: admin: {\"op\":\"revoke\""));
  EXPECT_EQ(as(kStranger, {"ls"})->wait(), 1);
  EXPECT_EQ(as(kStranger, {"doctor"})->wait(), 1) << "the media driver is not for him";
  EXPECT_EQ(as(kRoot, {"revoke", lease})->wait(), 0);
}

TEST_F(TpUsers, use_the_embedded_media_driver_as_members_of_its_group_alone) {
  const auto driver = up();
  const auto producer = attach(kColleague, {"20000", "--role", "producer", "--create"});
  ASSERT_TRUE(event(*producer, "attached"));  // log buffers of others are there now
  EXPECT_EQ(access_of(path("aeron")), "2770 0:4242");
  EXPECT_EQ(access_of(path("aeron-admin")), "710 0:4242");
  EXPECT_EQ(access_of(path("aeron-admin/1000")), "660 0:4242");
  int buffers = 0;
  for (const auto& entry : fs::recursive_directory_iterator(path("aeron"))) {
    struct stat found {};
    ASSERT_EQ(::lstat(entry.path().c_str(), &found), 0);
    EXPECT_EQ(found.st_gid, kLab) << entry.path();
    EXPECT_EQ(found.st_mode & 0007, 0U) << entry.path();
    buffers += entry.path().extension() == ".logbuffer" ? 1 : 0;
  }
  EXPECT_GE(buffers, 3);
}

TEST_F(TpUsers, get_nothing_that_nobody_has_configured) {
  std::ofstream(path("driver.toml")) << "[driver]\nannounce_stream_id = 1001\n"
                                        "stream_id_range = \"20000-20003\"\n[shm]\nbase_dir = \"" +
                                            path("shm") +
                                            "\"\n[policies]\nallow_dynamic_streams = true\n"
                                            "[profiles.small]\nheader_nslots = 8\npayload_pools = "
                                            "[ { pool_id = 1, stride_bytes = 4096 } ]\n";
  const auto driver = up();
  EXPECT_EQ(access_of(path("aeron")), "700 0:0");
  EXPECT_EQ(access_of(path("aeron-admin")), "700 0:0");
  EXPECT_EQ(as(kColleague, {"ls"})->wait(), 1);
}

TEST_F(TpUsers, that_do_not_exist_keep_the_driver_from_starting) {
  TP_REQ("D330");
  for (const auto& [access, group, key] :
       {std::tuple("", "no-such-group", "driver.group"),
        std::tuple("owner = \"no-such-user\"\n", "4242", "streams.cam.owner"),
        std::tuple("consumers = [ \"@no-such-group\" ]\n", "4242", "streams.cam.consumers")}) {
    configure(access, group);
    const auto sut = start({"up", "--config", path("driver.toml")});
    EXPECT_EQ(sut->wait(), 1);
    EXPECT_THAT(sut->err(), HasSubstr(key));
    EXPECT_FALSE(fs::exists(path("aeron"))) << "nothing was touched";
    EXPECT_FALSE(fs::exists(path("shm")));
  }
}

TEST_F(TpUsers, cannot_plant_an_admin_directory_or_a_media_driver) {
  const auto expect_refused = [&](const std::string& at) {
    const auto sut = start({"up", "--config", path("driver.toml")});
    EXPECT_EQ(sut->wait(), 1) << at;
    EXPECT_THAT(sut->err(), HasSubstr(at));
  };
  for (const std::string at : {"aeron", "aeron-admin"}) {
    fs::create_directory(path(at));
    ASSERT_EQ(::chown(path(at).c_str(), kEve, kEve), 0);
    expect_refused(at);
    EXPECT_EQ(access_of(path(at)).substr(4), "41003:41003") << "untouched";
    fs::remove(path(at));
    fs::create_directory(path("trap"));
    fs::create_directory_symlink(path("trap"), path(at));
    expect_refused(at);
    EXPECT_TRUE(fs::is_empty(path("trap")));
    fs::remove(path(at));
    fs::remove(path("trap"));
  }
  std::ofstream(path("precious")) << "precious";
  fs::create_symlink(path("precious"), path("aeron.lock"));
  expect_refused("aeron.lock");
  EXPECT_EQ(read_file(path("precious")), "precious");
}

TEST_F(TpUsers, cannot_plant_directories_for_regions) {
  TP_REQ("D197");
  fs::create_directory(path("shm"));
  fs::permissions(path("shm"), fs::perms(01777));
  fs::create_directories(path("shm/tensorpool-root/default/20001"));
  for (const char* level : {"shm/tensorpool-root", "shm/tensorpool-root/default",
                            "shm/tensorpool-root/default/20001"}) {
    fs::permissions(path(level), fs::perms(0755));
  }
  ASSERT_EQ(::chown(path("shm/tensorpool-root/default/20001").c_str(), kEve, kEve), 0);
  const auto driver = up();
  const auto refused = attach(kColleague, {"20001", "--role", "producer", "--create", "--once"});
  EXPECT_EQ(refused->wait(), 1);
  EXPECT_THAT(event(*refused, "refused")->value("text", ""),
              HasSubstr("failed to provision SHM: path_rejected"));
  EXPECT_TRUE(fs::is_empty(path("shm/tensorpool-root/default/20001")));
  const auto fine = attach(kColleague, {"20002", "--role", "producer", "--create"});
  EXPECT_TRUE(event(*fine, "attached")) << "others are not held up";
}

}  // namespace
}  // namespace tensorpool::test
