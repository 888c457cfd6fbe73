// Against a web server of the test's own, on loopback, with the faults that real ones have.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "base/digest.hpp"
#include "base/files.hpp"
#include "base/text.hpp"
#include "repo/download.hpp"

using namespace podwright;
namespace fs = std::filesystem;

namespace {

/// Answers each request as `/HOW/SIZE` says; SIZE bytes of a known pattern.
class Server {
 public:
  Server() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    REQUIRE(::bind(listener_, reinterpret_cast<sockaddr*>(&address), length) == 0);
    REQUIRE(::listen(listener_, 16) == 0);
    REQUIRE(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length) == 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::jthread([this] { serve(); });
  }
  ~Server() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  [[nodiscard]] std::string url(std::string_view how, std::size_t size) const {
    return fmt::format("http://127.0.0.1:{}/{}/{}", port_, how, size);
  }
  /// "GET /cut/1000 from 500" for each request so far.
  [[nodiscard]] std::vector<std::string> requests() {
    const std::scoped_lock lock(mutex_);
    return requests_;
  }

 private:
  void serve() {
    for (int peer; (peer = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC)) >= 0;) {
      answer(peer);
      ::close(peer);
    }
  }

  void answer(int peer);

  int listener_;
  int port_ = 0;
  std::mutex mutex_;
  std::vector<std::string> requests_;
  std::jthread thread_;
};

std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + (i * 7 + i / 251) % 26);
  return text;
}

void Server::answer(int peer) {
  std::string head;
  char c = 0;
  while (!head.ends_with("\r\n\r\n") && ::read(peer, &c, 1) == 1) head += c;
  const auto parts = words(lines(head).front());
  if (parts.size() < 2) return;
  const auto path = std::string(parts[1]);
  std::size_t from = 0;
  for (const auto line : lines(head)) {
    if (line.starts_with("Range: bytes=")) from = std::stoul(std::string(line.substr(13)));
  }
  std::size_t earlier = 0;
  {
    const std::scoped_lock lock(mutex_);
    for (const auto& request : requests_) earlier += request.starts_with(path + " ") ? 1U : 0U;
    requests_.push_back(fmt::format("{} from {}", path, from));
  }
  const auto how = path.substr(1, path.find('/', 1) - 1);
  const auto whole = pattern(std::stoul(path.substr(path.find('/', 1) + 1)));
  const auto send = [&](const std::string& bytes) {
    return ::send(peer, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
  };
  const auto status = [&](std::string_view line, std::size_t length, std::string_view more = "") {
    return send(fmt::format("HTTP/1.1 {}\r\nContent-Length: {}\r\nConnection: close\r\n{}\r\n", line, length, more));
  };
  if (how == "missing") status("404 Not Found", 0);
  else if (how == "busy" && earlier < 2) status("503 Service Unavailable", 0);
  else if (how == "no-ranges") {
    if (status("200 OK", whole.size())) send(earlier == 0 ? whole.substr(0, whole.size() / 2) : whole);
  } else if (from >= whole.size() && from > 0) status("416 Range Not Satisfiable", 0);
  else {
    const auto rest = whole.substr(from);
    const bool cut = how == "cut" && earlier == 0;
    const auto range = from > 0 ? fmt::format("Content-Range: bytes {}-{}/{}\r\n", from, whole.size() - 1, whole.size()) : "";
    if (status(from > 0 ? "206 Partial Content" : "200 OK", rest.size(), range)) send(cut ? rest.substr(0, rest.size() / 2) : rest);
  }
}

struct Folder {
  fs::path path = fs::temp_directory_path() / ("podwright-download-" + random_hex(6));
  ~Folder() { fs::remove_all(path); }
};

DownloadOptions quick() { return {.first_wait = Millis(10)}; }

}  // namespace

TEST_CASE("files are fetched side by side and proven by their digest") {
  Server server;
  const Folder folder;
  std::vector<Download> files;
  for (std::size_t i = 1; i <= 6; ++i) {
    files.push_back({server.url("plain", i * 100000), folder.path / fmt::format("sub/{}", i), sha256_hex(pattern(i * 100000))});
  }
  CHECK(download(files, quick()).empty());
  for (std::size_t i = 1; i <= 6; ++i) CHECK(read_file(files[i - 1].path) == pattern(i * 100000));
  CHECK(server.requests().size() == 6);
  // What is there with its digest is not fetched again.
  CHECK(download(files, quick()).empty());
  CHECK(server.requests().size() == 6);
}

TEST_CASE("a transfer that was cut off goes on where it stopped") {
  Server server;
  const Folder folder;
  const Download file{server.url("cut", 1000), folder.path / "f", sha256_hex(pattern(1000))};
  CHECK(download({file}, quick()).empty());
  CHECK(read_file(file.path) == pattern(1000));
  CHECK(server.requests() == std::vector<std::string>{"/cut/1000 from 0", "/cut/1000 from 500"});
  CHECK_FALSE(fs::exists(folder.path / "f.part"));
}

TEST_CASE("a server without ranges starts again from the first byte") {
  Server server;
  const Folder folder;
  const Download file{server.url("no-ranges", 1000), folder.path / "f", sha256_hex(pattern(1000))};
  CHECK(download({file}, quick()).empty());
  CHECK(read_file(file.path) == pattern(1000));
}

TEST_CASE("a server that is busy is asked again, one that has not the file is not") {
  Server server;
  const Folder folder;
  CHECK(download({{server.url("busy", 10), folder.path / "busy", sha256_hex(pattern(10))}}, quick()).empty());
  CHECK(server.requests().size() == 3);
  const auto url = server.url("missing", 10);
  const auto failed = download({{url, folder.path / "missing", ""}}, quick());
  REQUIRE(failed.contains(url));
  CHECK(failed.at(url).what.find("404") != std::string::npos);
  CHECK(failed.at(url).hint.find("correct the URL") != std::string::npos);
  CHECK(server.requests().size() == 4);
  CHECK_FALSE(fs::exists(folder.path / "missing"));
}

TEST_CASE("bytes with another digest are refused and not kept") {
  Server server;
  const Folder folder;
  const auto url = server.url("plain", 10);
  const auto failed = download({{url, folder.path / "f", std::string(64, '0')}}, quick());
  REQUIRE(failed.contains(url));
  CHECK(failed.at(url).fault == Fault::validation);
  CHECK(failed.at(url).what.find(sha256_hex(pattern(10))) != std::string::npos);
  CHECK_FALSE(fs::exists(folder.path / "f"));
  CHECK_FALSE(fs::exists(folder.path / "f.part"));
}

TEST_CASE("a server that sends more than there should be is cut off") {
  Server server;
  const Folder folder;
  const Download large{.url = server.url("plain", 100000), .path = folder.path / "f", .sha256 = "", .most_bytes = 99999};
  const auto failed = download({large}, quick());
  REQUIRE(failed.contains(large.url));
  CHECK(failed.at(large.url).fault == Fault::validation);
  CHECK(failed.at(large.url).what.find("larger than the 99999 bytes") != std::string::npos);
  CHECK_FALSE(fs::exists(folder.path / "f"));
  CHECK_FALSE(fs::exists(folder.path / "f.part"));
  CHECK(server.requests().size() == 1);
  const Download fits{.url = server.url("cut", 100000), .path = folder.path / "f", .sha256 = sha256_hex(pattern(100000)), .most_bytes = 100000};
  CHECK(download({fits}, quick()).empty());
}

TEST_CASE("a beginning left by another version of the file is dropped, one that is whole is taken") {
  Server server;
  const Folder folder;
  const Download file{server.url("plain", 1000), folder.path / "f", sha256_hex(pattern(1000))};
  REQUIRE(write_file(folder.path / "f.part", std::string(400, 'x')));
  CHECK(download({file}, quick()).empty());
  CHECK(read_file(file.path) == pattern(1000));

  const Download whole{server.url("plain", 1001), folder.path / "g", sha256_hex(pattern(1001))};
  REQUIRE(write_file(folder.path / "g.part", pattern(1001)));
  CHECK(download({whole}, quick()).empty());
  CHECK(read_file(whole.path) == pattern(1001));
}

TEST_CASE("what changed a moment ago may change again within the same second") {
  const Folder folder;
  fs::create_directories(folder.path);
  const auto there = folder.path / "there";
  const Download file{.url = "file://" + there.string(), .path = folder.path / "f", .sha256 = "", .if_newer = true};
  const auto now = fs::file_time_type::clock::now();
  const auto fetched = [&](const std::string& content, auto changed) {
    REQUIRE(write_file(there, content));
    fs::last_write_time(there, changed);
    REQUIRE(download({file}, quick()).empty());
    return read_file(file.path).value();
  };
  CHECK(fetched("one", now) == "one");
  CHECK(fetched("two", now) == "two");
  CHECK(fetched("three", now - std::chrono::hours(1)) == "two");
  CHECK(fetched("four", now + std::chrono::hours(1)) == "four");
}

TEST_CASE("nobody there, and a stop") {
  const Folder folder;
  const std::string url = "http://127.0.0.1:1/x";
  auto options = quick();
  options.attempts = 2;
  const auto failed = download({{url, folder.path / "f", ""}}, options);
  REQUIRE(failed.contains(url));
  CHECK(failed.at(url).fault == Fault::unreachable);
  CHECK(failed.at(url).what.find("(2 attempts)") != std::string::npos);

  std::stop_source stop;
  stop.request_stop();
  options.stop = stop.get_token();
  CHECK(download({{url, folder.path / "f", ""}}, options).at(url).fault == Fault::cancelled);
}
