// What is copied where; and to nodes without a relay, which are all this machine.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>

#include "base/digest.hpp"
#include "engine/copy.hpp"
#include "support/local_nodes.hpp"
#include "support/sshd.hpp"

using namespace podwright;
using podwright::test::slurp;
using podwright::test::TempDir;

namespace {

std::vector<std::string> paths(const CopyList& list) {
  std::vector<std::string> all;
  for (const auto& entry : list.entries) all.push_back(entry.path);
  return all;
}

}  // namespace

TEST_CASE("what a copy is made of") {
  TempDir dir;
  std::filesystem::create_directories(dir.file("tree/sub"));
  dir.write("tree/b", "two", 0640);
  dir.write("tree/a", "one", 0755);
  dir.write("tree/sub/c", "two", 0600);
  std::filesystem::create_symlink("../a", dir.file("tree/sub/link"));
  const auto file = dir.write("file", "one");

  auto list = list_sources({dir.file("tree")}, "/opt/here");
  REQUIRE(list);
  CHECK(paths(*list) == std::vector<std::string>{"/opt/here", "/opt/here/a", "/opt/here/b", "/opt/here/sub", "/opt/here/sub/c", "/opt/here/sub/link"});
  CHECK(list->folder == "/opt");
  CHECK(list->bytes == 9);
  CHECK(list->entries[1].mode == 0755);
  CHECK(list->entries[5].target == "../a");

  list = list_sources({dir.file("tree/"), file}, "/tmp");
  REQUIRE(list);
  CHECK(paths(*list)[1] == "/tmp/tree");
  CHECK(paths(*list).back() == "/tmp/file");
  CHECK_FALSE(list->entries[0].mode);  // a folder that is there keeps its own
  CHECK(list->folder == "/tmp");
  CHECK(paths(*list_sources({file}, "/srv/new")) == std::vector<std::string>{"/srv/new"});
  CHECK(paths(*list_sources({file}, "/srv/")) == std::vector<std::string>{"/srv", "/srv/file"});
  CHECK(paths(*list_sources({file}, "/")) == std::vector<std::string>{"/file"});

  const auto refused = [&](const std::vector<std::string>& sources, const std::string& destination) {
    const auto result = list_sources(sources, destination);
    return result ? std::string() : result.error().what;
  };
  CHECK(refused({file}, "relative") == "the destination relative is no absolute path");
  CHECK(refused({dir.file("none")}, "/srv/").starts_with(dir.file("none")));
  CHECK(refused({file, dir.file("tree/../file")}, "/srv/") == "two sources would become /srv/file");
  REQUIRE(mkfifo(dir.file("tree/pipe").c_str(), 0600) == 0);
  CHECK(refused({dir.file("tree")}, "/srv/") == dir.file("tree/pipe") + " is no file, folder or link");
}

TEST_CASE("a copy over SSH alone: what is there is not sent, a file is not put over a folder") {
  TempDir dir;
  std::filesystem::create_directories(dir.file("tree/sub"));
  dir.write("tree/a b", "one", 0755);
  dir.write("tree/same", "one", 0640);
  dir.write("tree/empty", "", 0600);
  dir.write("tree/sub/$(touch bad)'\"", "two", 0600);
  std::filesystem::create_symlink("a b", dir.file("tree/link"));
  chmod(dir.file("tree/sub").c_str(), 0500);

  Inventory inventory;
  inventory.nodes.emplace_back();
  inventory.nodes.back().name = "cu01";
  inventory.nodes.back().address = "localhost";
  testing::LocalNodes nodes;
  events::Bus bus;
  Site site{.inventory = inventory, .nodes = {"cu01"}, .transport = nodes, .events = bus};
  const auto there = dir.file("to/tree");
  const auto list = list_sources({dir.file("tree")}, there);
  REQUIRE(list);
  auto result = copy_to_nodes(site, *list, {});
  REQUIRE_MESSAGE(result.failed.empty(), result.failed.begin()->second.message());
  CHECK(result.received.at("cu01") == 6);
  CHECK(slurp(there + "/a b") == "one");
  CHECK(slurp(there + "/same") == "one");
  CHECK(slurp(there + "/sub/$(touch bad)'\"") == "two");
  CHECK(std::filesystem::read_symlink(there + "/link") == "a b");
  CHECK(std::filesystem::file_size(there + "/empty") == 0);
  struct stat status {};
  REQUIRE(stat((there + "/a b").c_str(), &status) == 0);
  CHECK((status.st_mode & 07777U) == 0755);
  REQUIRE(stat((there + "/sub").c_str(), &status) == 0);
  CHECK((status.st_mode & 07777U) == 0500);
  for (const auto& entry : std::filesystem::directory_iterator(list->folder)) CHECK(entry.path().filename() == "tree");

  result = copy_to_nodes(site, *list, {});
  CHECK(result.failed.empty());
  CHECK(result.sent_by_head == 0);

  dir.write("to/tree/same", "else");
  result = copy_to_nodes(site, *list, {});
  CHECK(result.failed.empty());
  CHECK(result.sent_by_head == 3);
  CHECK(slurp(there + "/same") == "one");

  dir.write("to/tree/same", "else again");
  result = copy_to_nodes(site, *list, {.rate = 100});
  CHECK(result.failed.empty());
  CHECK(slurp(there + "/same") == "one");

  std::filesystem::remove(there + "/same");
  std::filesystem::create_directory(there + "/same");
  result = copy_to_nodes(site, *list, {});
  REQUIRE(result.failed.contains("cu01"));
  CHECK(result.failed.at("cu01").what == there + "/same is a folder there, and was to become a file");
  CHECK(result.failed.at("cu01").hint == "to copy into it write " + there + "/same/");
  CHECK_MESSAGE(result.sent_by_head == 0, "it is known before anything is sent");

  std::filesystem::remove(there + "/same");
  std::filesystem::create_directory_symlink("sub", there + "/same");
  result = copy_to_nodes(site, *list, {});
  REQUIRE(result.failed.contains("cu01"));
  CHECK_MESSAGE(result.failed.at("cu01").hint == "to copy into it write " + there + "/same/", "so is a link to a folder");
  CHECK(result.sent_by_head == 0);

  std::filesystem::remove(there + "/same");
  std::filesystem::remove(there + "/link");
  std::filesystem::create_directory(there + "/link");
  result = copy_to_nodes(site, *list, {});
  REQUIRE(result.failed.contains("cu01"));
  CHECK(result.failed.at("cu01").what == there + "/link is a folder there, and was to become a link");
  CHECK(result.sent_by_head == 0);

  std::filesystem::remove(there + "/link");
  std::filesystem::create_directory_symlink("sub", there + "/link");
  result = copy_to_nodes(site, *list, {});
  CHECK(result.failed.empty());
  CHECK_MESSAGE(std::filesystem::read_symlink(there + "/link") == "a b", "a link takes the place of one");
}
