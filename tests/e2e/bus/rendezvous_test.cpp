// Who hosts the media driver of a directory, and what is left of it afterwards.
#include "bus/rendezvous.hpp"

#include <sys/stat.h>
#include <sys/wait.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <vector>

#include "bus_fixture.hpp"
#include "peer.hpp"

namespace tensorpool::bus::testing {
namespace {

constexpr const char* kNobody = "65534";

bool exists(const std::string& path) {
  struct stat found {};
  return ::lstat(path.c_str(), &found) == 0;
}

RendezvousOptions at(const std::string& aeron_dir, DriverPolicy policy = DriverPolicy::kAuto) {
  RendezvousOptions options{.driver = {.aeron_dir = aeron_dir}};
  options.policy = policy;
  return options;
}

TEST(Rendezvous, of_eight_processes_that_come_at_once_one_embeds_and_seven_join) {
  const PrivateDir dir;
  std::vector<Peer> peers;
  for (int i = 0; i < 8; ++i) {
    peers.emplace_back(Peer({"rendezvous", dir.aeron(), "auto"}));
  }
  std::vector<std::size_t> hosts;
  for (std::size_t i = 0; i < peers.size(); ++i) {
    const std::string line = peers[i].read_line();
    if (line == "embedded") {
      hosts.push_back(i);
    } else {
      EXPECT_EQ(line, "joined");
    }
  }
  ASSERT_EQ(hosts.size(), 1U);
  EXPECT_TRUE(driver_alive(dir.aeron()));
  for (std::size_t i = 0; i < peers.size(); ++i) {
    if (i != hosts[0]) {
      EXPECT_EQ(peers[i].finish(), 0);
    }
  }
  EXPECT_TRUE(driver_alive(dir.aeron()));
  EXPECT_EQ(peers[hosts[0]].finish(), 0);
  EXPECT_FALSE(exists(dir.aeron()));
  EXPECT_FALSE(exists(dir.aeron() + ".lock"));
}

TEST(Rendezvous, a_host_that_was_killed_is_known_to_be_dead_at_once_and_is_replaced) {
  const PrivateDir dir;
  Peer host({"rendezvous", dir.aeron(), "auto"});
  ASSERT_EQ(host.read_line(), "embedded");
  ASSERT_EQ(probe_driver(dir.aeron()).state, DriverState::kAlive);
  host.kill();
  ASSERT_TRUE(exists(dir.aeron()));
  EXPECT_EQ(probe_driver(dir.aeron()).state, DriverState::kDead);
  {
    const Result<MediaDriverHandle> next = join_or_embed(at(dir.aeron()));
    ASSERT_TRUE(next.has_value()) << describe(next.error());
    EXPECT_TRUE(next->is_embedded());
    EXPECT_EQ(probe_driver(dir.aeron()).state, DriverState::kAlive);
  }
  EXPECT_FALSE(exists(dir.aeron()));
  EXPECT_FALSE(exists(dir.aeron() + ".lock"));
}

TEST(Rendezvous, follows_the_policy) {
  const PrivateDir dir;
  const auto external = join_or_embed(at(dir.aeron(), DriverPolicy::kExternal));
  ASSERT_FALSE(external.has_value());
  EXPECT_EQ(external.error().code, Errc::kMediaDriverUnavailable);
  EXPECT_FALSE(exists(dir.aeron()));

  auto embedded = join_or_embed(at(dir.aeron(), DriverPolicy::kEmbedded));
  ASSERT_TRUE(embedded.has_value());
  EXPECT_TRUE(embedded->is_embedded());
  const auto second = join_or_embed(at(dir.aeron() + "/", DriverPolicy::kEmbedded));
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, Errc::kAlreadyExists);
  for (const DriverPolicy policy : {DriverPolicy::kAuto, DriverPolicy::kExternal}) {
    const auto joined = join_or_embed(at(dir.aeron(), policy));
    ASSERT_TRUE(joined.has_value());
    EXPECT_FALSE(joined->is_embedded());
  }
  MediaDriverHandle moved = std::move(*embedded);
  EXPECT_TRUE(moved.is_embedded());
  EXPECT_FALSE(embedded->is_embedded());
  EXPECT_TRUE(driver_alive(dir.aeron()));
}

TEST(Rendezvous, the_directory_is_ours_alone_and_small) {
  const PrivateDir dir;
  const auto host = join_or_embed(at(dir.aeron()));
  ASSERT_TRUE(host.has_value());
  struct stat found {};
  ASSERT_EQ(::stat(dir.aeron().c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 07777U, 0700U);
  std::uintmax_t bytes = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir.aeron())) {
    if (entry.is_regular_file()) {
      ASSERT_EQ(::stat(entry.path().c_str(), &found), 0);
      bytes += static_cast<std::uintmax_t>(found.st_blocks) * 512;
    }
  }
  EXPECT_LT(bytes, 16U << 20U);
}

TEST(Rendezvous, refuses_a_path_that_it_must_not_empty) {
  const PrivateDir dir;
  const std::string precious = dir.path() + "/precious";
  std::filesystem::create_directory(precious);
  std::ofstream(precious + "/file") << "keep";
  std::filesystem::create_directory_symlink(precious, dir.path() + "/link");
  std::ofstream(dir.path() + "/plain") << "keep";
  std::vector<std::string> paths{dir.path() + "/link", dir.path() + "/plain"};
  if (::geteuid() == 0) {
    const std::string foreign = dir.path() + "/foreign";
    std::filesystem::create_directory(foreign);
    ASSERT_EQ(::chown(foreign.c_str(), 65534, 65534), 0);
    paths.push_back(foreign);
  }
  for (const std::string& path : paths) {
    const auto refused = join_or_embed(at(path));
    ASSERT_FALSE(refused.has_value()) << path;
    EXPECT_EQ(refused.error().code, Errc::kOsFailure) << path;
    EXPECT_TRUE(exists(path));
  }
  EXPECT_TRUE(exists(precious + "/file"));
  EXPECT_EQ(join_or_embed(at("")).error().code, Errc::kInvalidArgument);
  EXPECT_EQ(join_or_embed(at(dir.path() + "/missing/aeron")).error().code, Errc::kOsFailure);
}

TEST(Rendezvous, tells_no_driver_not_allowed_and_wrong_version_apart) {
  const PrivateDir dir;
  EXPECT_EQ(probe_driver(dir.aeron()).state, DriverState::kAbsent);
  EXPECT_EQ(to_error(probe_driver(dir.aeron()), dir.aeron()).code, Errc::kMediaDriverUnavailable);

  std::filesystem::create_directory(dir.aeron());
  const std::string cnc = dir.aeron() + "/cnc.dat";
  std::ofstream(cnc).close();
  EXPECT_EQ(probe_driver(dir.aeron()).state, DriverState::kStarting);

  const std::uint32_t other_version = 7U << 16U;
  std::ofstream(cnc, std::ios::binary)
      .write(reinterpret_cast<const char*>(&other_version), sizeof(other_version));
  const Error wrong = to_error(probe_driver(dir.aeron()), dir.aeron());
  EXPECT_EQ(wrong.code, Errc::kUnsupportedVersion);
  EXPECT_EQ(wrong.value, 7U);
  EXPECT_EQ(join_or_embed(at(dir.aeron())).error().code, Errc::kUnsupportedVersion);

  // Root may do everything, so a child without its rights asks.
  ASSERT_EQ(::chmod(dir.path().c_str(), 0755), 0);
  ASSERT_EQ(::chmod(cnc.c_str(), 0), 0);
  Peer peer(::geteuid() == 0
                ? std::initializer_list<std::string>{"rendezvous", dir.aeron(), "auto", kNobody}
                : std::initializer_list<std::string>{"rendezvous", dir.aeron(), "auto"});
  EXPECT_EQ(peer.read_line(), "error os_failure");
}

TEST(Rendezvous, a_garbled_driver_file_is_no_driver) {
  const PrivateDir dir;
  std::filesystem::create_directory(dir.aeron());
  const std::string cnc = dir.aeron() + "/cnc.dat";
  for (const std::size_t size : {4UL, 64UL, 128UL, 129UL, 4096UL, 65536UL}) {
    for (const char fill : {'\0', '\x01', '\x7f', '\xff'}) {
      std::string bytes(size, fill);
      const std::uint32_t version = 0x0000'0200;  // 0.2.0, what Aeron writes
      std::memcpy(bytes.data(), &version, sizeof(version));
      std::ofstream(cnc, std::ios::binary | std::ios::trunc) << bytes;
      EXPECT_NE(probe_driver(dir.aeron()).state, DriverState::kAlive) << size << int{fill};
    }
  }
}

TEST(Rendezvous, a_forked_child_leaves_the_driver_of_its_parent_alone) {
  const PrivateDir dir;
  auto host = join_or_embed(at(dir.aeron()));
  ASSERT_TRUE(host.has_value());
  auto client = std::make_unique<Client>(make_client(dir.aeron()));
  ASSERT_TRUE(bring_up(*client));
  auto out = wait_for(*client, client->begin_add_publication(channel("aeron:ipc"), 1100));
  ASSERT_TRUE(out.has_value());
  const pid_t child = ::fork();
  if (child == 0) {
    out->reset();
    client.reset();
    const MediaDriverHandle gone = std::move(*host);
    ::_exit(client == nullptr ? 7 : 8);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 7);
  EXPECT_TRUE(driver_alive(dir.aeron()));
  // The parent's publication is still known to the driver: a subscriber finds it.
  auto in = wait_for(*client, client->begin_add_subscription(channel("aeron:ipc"), 1100));
  ASSERT_TRUE(in.has_value());
  EXPECT_TRUE(eventually([&] {
    client->do_work(mono_now());
    return (*out)->is_connected();
  }));
}

TEST(AeronDir, is_the_given_one_else_that_of_the_environment_else_one_of_the_user) {
  const char* before = std::getenv("AERON_DIR");
  const std::string saved = before == nullptr ? "" : before;
  ::setenv("AERON_DIR", "/dev/shm/from-environment", 1);
  EXPECT_EQ(choose_aeron_dir("/given"), "/given");
  EXPECT_EQ(choose_aeron_dir(), "/dev/shm/from-environment");
  ::setenv("AERON_DIR", "", 1);
  EXPECT_TRUE(choose_aeron_dir().starts_with("/dev/shm/tensorpool-"));
  EXPECT_TRUE(choose_aeron_dir().ends_with("-aeron"));
  if (before == nullptr) {
    ::unsetenv("AERON_DIR");
  } else {
    ::setenv("AERON_DIR", saved.c_str(), 1);
  }
}

}  // namespace
}  // namespace tensorpool::bus::testing
