#include <doctest/doctest.h>
#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <vector>

#include "base/files.hpp"
#include "base/text.hpp"
#include "repo/deb822.hpp"
#include "repo/deb_file.hpp"
#include "repo/rpm_file.hpp"
#include "repo/rpm_md.hpp"
#include "repo/solver.hpp"

using namespace podwright;
namespace fs = std::filesystem;

namespace {

const fs::path cases = fs::path(PODWRIGHT_CASES) / "packages";

/// A file that goes with the test.
struct Written {
  Written() : path(fs::temp_directory_path() / ("podwright-package-" + random_hex(8))) {}
  ~Written() { fs::remove(path); }
  Written(const Written&) = delete;
  Written& operator=(const Written&) = delete;
  void write(const std::string& content) const { std::ofstream(path, std::ios::binary) << content; }
  fs::path path;
};

/// The same bytes, with some of them changed, lost, or doubled.
std::string damaged(std::string bytes, std::mt19937& random) {
  for (auto changes = 1 + random() % 5; changes > 0 && !bytes.empty(); --changes) {
    const auto at = random() % bytes.size();
    switch (random() % 4) {
      case 0: bytes[at] = static_cast<char>(random()); break;
      case 1: bytes[at] = static_cast<char>(random() % 2 == 0 ? 0xff : 0); break;
      case 2: bytes.erase(at, 1 + random() % 64); break;
      default: bytes.insert(at, bytes.substr(at, 1 + random() % 64));
    }
  }
  return bytes;
}

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

/// A .deb whose control.tar is these bytes.
std::string deb_of(const std::string& control_tar) {
  const auto member = [](std::string_view name, const std::string& content) {
    return fmt::format("{:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n{}{}", name, 0, 0, 0, "100644", content.size(), content, content.size() % 2 == 0 ? "" : "\n");
  };
  return "!<arch>\n" + member("debian-binary", "2.0\n") + member("control.tar", control_tar);
}

std::string tar_of_control(const std::string& control) {
  std::string header(512, '\0');
  header.replace(0, 9, "./control");
  for (const auto& [at, text] : {std::pair<std::size_t, std::string>{100, "0000644"}, {108, "0000000"}, {116, "0000000"},
                                 {124, fmt::format("{:011o}", control.size())}, {136, "00000000000"}, {148, "        "}, {156, "0"}}) {
    header.replace(at, text.size(), text);
  }
  header.replace(257, 8, std::string("ustar\00000", 8));
  unsigned sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  header.replace(148, 7, fmt::format("{:06o}", sum) + '\0');
  return header + control + std::string((512 - control.size() % 512) % 512 + 1024, '\0');
}

std::string big_endian(std::uint32_t value) {
  return {static_cast<char>(value >> 24U), static_cast<char>(value >> 16U), static_cast<char>(value >> 8U), static_cast<char>(value)};
}

/// An rpm of such headers: tag, type, offset and count of each entry, and their data.
std::string rpm_of(const std::vector<std::array<std::uint32_t, 4>>& entries, const std::string& data) {
  const auto header = [](std::size_t count, std::size_t size) {
    return std::string("\x8e\xad\xe8\x01\0\0\0\0", 8) + big_endian(static_cast<std::uint32_t>(count)) + big_endian(static_cast<std::uint32_t>(size));
  };
  auto bytes = "\xed\xab\xee\xdb" + std::string(92, '\0') + header(0, 0) + header(entries.size(), data.size());
  for (const auto& entry : entries) {
    for (const auto number : entry) bytes += big_endian(number);
  }
  return bytes + data;
}

}  // namespace

TEST_CASE("a deb's control file and an rpm's header say what is in the repository") {
  const auto control = control_of_deb(cases / "sample.deb");
  REQUIRE(control);
  CHECK(field_of(*control, "Package") == "pw-sample");
  CHECK(field_of(*control, "Version") == "1:2.0-1");
  CHECK(field_of(*control, "Depends") == "pw-base (>= 1)");

  const auto primary = primary_of_rpm(cases / "sample.rpm", std::string(64, 'a'), "Packages/sample.rpm");
  REQUIRE(primary);
  CHECK(has(*primary, "<name>pw-sample</name>"));
  CHECK(has(*primary, "<version epoch=\"1\" ver=\"2.0\" rel=\"1\"/>"));
  CHECK(has(*primary, "<summary>of a &lt;test&gt;</summary>"));
  CHECK(has(*primary, "<rpm:entry name=\"pw-base\" flags=\"GE\" epoch=\"0\" ver=\"1\"/>"));
  CHECK(has(*primary, "<rpm:entry name=\"(pw-a if pw-b)\"/>"));
  CHECK(has(*primary, "<rpm:recommends>\n      <rpm:entry name=\"pw-nice\"/>"));
  CHECK(has(*primary, "<file>/opt/pw-sample</file>"));
  CHECK_FALSE(has(*primary, "rpmlib("));
}

TEST_CASE("damaged packages are refused or read, and never bring the reader down") {
  const Written file;
  std::mt19937 random(7);
  const auto deb = read_file(cases / "sample.deb").value();
  const auto rpm = read_file(cases / "sample.rpm").value();
  std::size_t refused = 0;
  for (int round = 0; round < 1500; ++round) {
    file.write(damaged(deb, random));
    refused += control_of_deb(file.path) ? 0U : 1U;
    file.write(damaged(rpm, random));
    const auto primary = primary_of_rpm(file.path, std::string(64, 'a'), "x.rpm");
    refused += primary ? 0U : 1U;
    if (!primary) continue;
    // Whatever is left of it, it is one entry of well-formed metadata.
    PackageSolver solver("rpm", "x86_64");
    const auto text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<metadata xmlns=\"http://linux.duke.edu/metadata/common\" "
                      "xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\" packages=\"1\">\n" + *primary + "</metadata>\n";
    CHECK(solver.add_rpm_md_text("x", 500, text, {}, ""));
  }
  CHECK(refused > 100);
  file.write("");
  CHECK_FALSE(control_of_deb(file.path));
  CHECK_FALSE(primary_of_rpm(file.path, "", ""));
  CHECK_FALSE(control_of_deb(cases / "sample.rpm"));
  CHECK_FALSE(primary_of_rpm(cases / "sample.deb", "", ""));
}

TEST_CASE("a control file that is cut off or more than one entry is refused") {
  const Written file;
  const std::string control = "Package: a\nVersion: 1\nDescription: x\n .\n y\n";
  const auto whole = deb_of(tar_of_control(control));
  file.write(whole);
  CHECK(control_of_deb(file.path).value() == control);
  const auto end = whole.find(" y\n") + 3;
  for (std::size_t keep = 0; keep < end; ++keep) {
    file.write(whole.substr(0, keep));
    CAPTURE(keep);
    CHECK_FALSE(control_of_deb(file.path));
  }
  // Its second entry would be a package of its own in the Packages file that this becomes part of.
  for (const std::string between : {"\n", "\n\n", "\r\n"}) {
    file.write(deb_of(tar_of_control("Package: a\nVersion: 1\n" + between + "Package: b\nVersion: 2\n")));
    CAPTURE(between);
    CHECK_FALSE(control_of_deb(file.path));
  }
}

TEST_CASE("no package chooses a program that unpacks it") {
  const Written folder, file;
  fs::create_directory(folder.path);
  const auto ran = folder.path / "ran";
  for (const auto* name : {"grzip", "lrzip", "lzop"}) {
    std::ofstream(folder.path / name) << "#!/bin/sh\n: >" << ran.string() << "\n";
    fs::permissions(folder.path / name, fs::perms::owner_all);
  }
  const std::string path = ::getenv("PATH");
  ::setenv("PATH", (folder.path.string() + ":" + path).c_str(), 1);
  // As archive_read_support_filter_grzip.c, _lrzip.c and _lzop.c of libarchive know them.
  for (const auto& magic : {std::string("GRZipII\0\2\4:)", 12), std::string("LRZI\0\6", 6), std::string("\x89LZO\0\r\n\x1a\n", 9)}) {
    file.write(deb_of(magic + std::string(200, 'x')));
    CHECK_FALSE(control_of_deb(file.path));
  }
  ::setenv("PATH", path.c_str(), 1);
  CHECK_FALSE(fs::exists(ran));
  fs::remove_all(folder.path);
}

TEST_CASE("an rpm's texts are well-formed metadata, whatever they hold") {
  const Written file;
  std::string data("a\0", 2);
  std::vector<std::array<std::uint32_t, 4>> entries{{1000, 6, 0, 1}};
  std::string odd;
  for (int c = 1; c < 256; ++c) odd += static_cast<char>(c);
  // No characters of XML, though they are of UTF-8.
  odd += "\xef\xbf\xbe\xef\xbf\xbf\xed\xa0\x80 \xef\xbf\xbd";
  entries.push_back({1004, 6, 2, 1});
  file.write(rpm_of(entries, data + odd + '\0'));
  const auto primary = primary_of_rpm(file.path, std::string(64, 'a'), "x.rpm");
  REQUIRE(primary);
  PackageSolver solver("rpm", "x86_64");
  CHECK(solver.add_rpm_md_text("x", 500, "<metadata xmlns=\"http://linux.duke.edu/metadata/common\" xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\">" +
                                             *primary + "</metadata>", {}, ""));
}

TEST_CASE("an rpm is refused that makes much of little") {
  const Written file;
  constexpr std::uint32_t some = 20000;
  // No file has a name, and all lie in one folder with a long one: half a gigabyte of paths, of 40 kB.
  const auto data = std::string("a\0", 2) + std::string(some, '\0') + std::string(some, '&') + '\0';
  file.write(rpm_of({{1000, 6, 0, 1}, {1116, 4, 2, some / 4}, {1117, 8, 2, some / 4}, {1118, 8, 2 + some, 1}}, data));
  const auto primary = primary_of_rpm(file.path, std::string(64, 'a'), "x.rpm");
  REQUIRE_FALSE(primary);
  CHECK(has(primary.error().what, "many times"));
  // A header that says more of itself than there is.
  auto cut = rpm_of({{1000, 6, 0, 1}}, std::string("a\0", 2));
  cut.replace(cut.size() - 2 - 16 - 4, 4, big_endian(200U << 20U));
  file.write(cut);
  CHECK_FALSE(primary_of_rpm(file.path, std::string(64, 'a'), "x.rpm"));
}

TEST_CASE("repomd.xml names files of its repository alone, and by SHA-256") {
  const auto part = [](const std::string& type, const std::string& checksum, const std::string& href) {
    return "<data type=\"" + type + "\"><checksum type=\"" + checksum + "\">" + std::string(64, 'b') + "</checksum><location href=\"" + href + "\"/></data>";
  };
  const auto good = read_repomd("<repomd>" + part("primary", "sha256", "repodata/p.xml.gz") + part("other", "md5", "repodata/o.xml.gz") + "</repomd>");
  REQUIRE(good);
  CHECK(good->size() == 1);
  CHECK(good->at("primary").href == "repodata/p.xml.gz");
  CHECK(good->at("primary").sha256 == std::string(64, 'b'));
  for (const auto* href : {"../p.xml", "/etc/passwd", "http://evil.example.org/p.xml", "a/../../p.xml"}) {
    CAPTURE(href);
    const auto bad = read_repomd("<repomd>" + part("primary", "sha256", href) + "</repomd>");
    REQUIRE_FALSE(bad);
    CHECK(has(bad.error().what, "outside of the repository"));
  }
  CHECK_FALSE(read_repomd("<repomd>" + part("primary", "md5", "p.xml") + "</repomd>"));
  CHECK_FALSE(read_repomd("<repomd><data type=\"primary\"><checksum type=\"sha256\">"));
  CHECK_FALSE(read_repomd(""));
  std::mt19937 random(3);
  const auto whole = "<repomd>" + part("primary", "sha256", "repodata/p.xml.gz") + part("filelists", "sha256", "repodata/f.xml.gz") + "</repomd>";
  for (int round = 0; round < 3000; ++round) {
    const auto parts = read_repomd(damaged(whole, random));
    if (!parts) continue;
    for (const auto& [type, one] : *parts) CHECK_FALSE(has(one.href, ".."));
  }
}
