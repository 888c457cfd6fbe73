// Relays on loopback, spoken to as the head does; and predecessors that are not what they should be.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/sha.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include "relay/pace.hpp"
#include "relay/relay.hpp"
#include "relay/wire.hpp"
#include "support/sshd.hpp"

using namespace podwright::relay;
using podwright::test::slurp;
using podwright::test::TempDir;

namespace {

constexpr std::uint64_t chunk = 1024;
const std::string token(32, 'a');

std::string digest(std::string_view bytes) {
  std::string result(digest_size, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), reinterpret_cast<unsigned char*>(result.data()));
  return result;
}

std::string hex(std::string_view bytes) {
  std::string text;
  for (const unsigned char byte : bytes) text += "0123456789abcdef"[byte >> 4U], text += "0123456789abcdef"[byte & 15U];
  return text;
}

std::string noise(std::size_t size, unsigned seed) {
  std::string bytes(size, '\0');
  for (auto& byte : bytes) byte = static_cast<char>((seed = seed * 1664525 + 1013904223) >> 24U);
  return bytes;
}

Setup setup_for(const std::vector<std::string>& contents, const std::string& folder) {
  Setup setup{.token = token, .listen = "127.0.0.1", .folder = folder, .chunk = chunk, .allowed = {"127.0.0.1"}};
  for (const auto& content : contents) {
    setup.objects.push_back({.name = hex(digest(content)), .size = content.size()});
    for (std::size_t at = 0; at < content.size(); at += chunk) setup.hashes += digest(std::string_view(content).substr(at, chunk));
  }
  return setup;
}

/// The same, with the digests of the contents as the first object: their bytes come back.
std::string add_index(Setup& setup) {
  const auto index = std::exchange(setup.hashes, {});
  for (std::size_t at = 0; at < index.size(); at += chunk) setup.hashes += digest(std::string_view(index).substr(at, chunk));
  setup.objects.insert(setup.objects.begin(), {.name = hex(digest(index)), .size = index.size()});
  setup.indexed = true;
  return index;
}

/// A relay in a thread of its own, and the head's end of its stream.
class Running {
 public:
  explicit Running(const Setup& setup) {
    std::signal(SIGPIPE, SIG_IGN);
    int in[2];
    int out[2];
    REQUIRE(pipe2(in, O_CLOEXEC) == 0);
    REQUIRE(pipe2(out, O_CLOEXEC) == 0);
    to_ = in[1];
    from_ = out[0];
    thread_ = std::thread([this, read = in[0], write = out[1]] {
      status_ = run_relay(read, write);
      close(read);
      close(write);
    });
    tell(encode(setup));
  }
  ~Running() { end(); }

  void tell(std::string_view text) {
    while (!text.empty()) {
      const auto size = write(to_, text.data(), text.size());
      if (size <= 0) return;
      text.remove_prefix(static_cast<std::size_t>(size));
    }
  }
  void feed(std::uint32_t object, std::uint64_t offset, std::string_view bytes) {
    tell("data " + std::to_string(object) + " " + std::to_string(offset) + " " + std::to_string(bytes.size()) + "\n");
    tell(bytes);
  }
  /// Waits for a line that begins so; the rest of it. "" when the relay ended without.
  std::string hear(const std::string& beginning) {
    for (;;) {
      while (heard_.find('\n') == std::string::npos) {
        char bytes[4096];
        pollfd ready{.fd = from_, .events = POLLIN, .revents = 0};
        if (poll(&ready, 1, 20000) <= 0) return "";
        const auto size = read(from_, bytes, sizeof bytes);
        if (size <= 0) return "";
        heard_.append(bytes, static_cast<std::size_t>(size));
      }
      const auto line = heard_.substr(0, heard_.find('\n'));
      heard_.erase(0, line.size() + 1);
      if (!line.starts_with("at ")) said += line + "\n";
      if (line.starts_with(beginning)) return line.substr(beginning.size());
    }
  }
  std::string port() { return hear("listening "); }
  int end() {
    if (!thread_.joinable()) return status_;
    tell("end\n");
    close(to_);
    thread_.join();
    close(from_);
    return status_;
  }
  void hang_up() {
    close(to_);
    to_ = -1;
    thread_.join();
    close(from_);
  }
  std::string said;

 private:
  int to_ = -1;
  int from_ = -1;
  std::string heard_;
  std::thread thread_;
  std::atomic<int> status_ = -1;
};

/// A predecessor that answers every request as the test wants.
class Impostor {
 public:
  explicit Impostor(std::function<void(int)> answer) : answer_(std::move(answer)) {
    listening_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    REQUIRE(bind(listening_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(listen(listening_, 8) == 0);
    getsockname(listening_, reinterpret_cast<sockaddr*>(&address), &size);
    port = std::to_string(ntohs(address.sin_port));
    thread_ = std::thread([this] {
      for (int fd = -1; (fd = accept(listening_, nullptr, nullptr)) >= 0;) {
        char request[4096];
        const auto got = read(fd, request, sizeof request);
        last_request = std::string(request, static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
        ++requests;
        answer_(fd);
        close(fd);
      }
    });
  }
  ~Impostor() {
    shutdown(listening_, SHUT_RDWR);
    close(listening_);
    thread_.join();
  }
  std::string port;
  std::atomic<int> requests = 0;
  std::string last_request;

 private:
  std::function<void(int)> answer_;
  int listening_;
  std::thread thread_;
};

void send_body(int fd, std::size_t length, std::string_view bytes) {
  const auto head = "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(length) + "\r\n\r\n";
  [[maybe_unused]] auto sent = write(fd, head.data(), head.size());
  sent = write(fd, bytes.data(), bytes.size());
}

/// What a stranger gets.
std::string get(const std::string& port, const std::string& target, const std::string& header) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(port)));
  std::string answer;
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
    const auto request = "GET " + target + " HTTP/1.1\r\nHost: x\r\n" + header + "\r\n";
    [[maybe_unused]] const auto sent = write(fd, request.data(), request.size());
    char bytes[65536];
    for (ssize_t size = 0; (size = read(fd, bytes, sizeof bytes)) > 0;) answer.append(bytes, static_cast<std::size_t>(size));
  }
  close(fd);
  return answer;
}

}  // namespace

TEST_CASE("ranges of objects") {
  CHECK(ranges({0, 1, 2, 5, 7, 8}) == "0-2,5,7-8");
  CHECK(ranges({}).empty());
  std::vector<std::uint32_t> numbers;
  REQUIRE(parse_ranges("0-2,5,7-8", 9, numbers));
  CHECK(numbers == std::vector<std::uint32_t>{0, 1, 2, 5, 7, 8});
  for (const auto* wrong : {"9", "0-9", "2-1", "1,1", "x", "-1", "1-", "1 ", "99999999999999999999"}) {
    CAPTURE(wrong);
    numbers.clear();
    CHECK_FALSE(parse_ranges(wrong, 9, numbers));
  }
}

TEST_CASE("a rate limit hands out no crumbs to who asks again at once") {
  constexpr std::uint64_t rate = 1'000'000;
  Pace pace(rate);
  std::uint64_t given = 0;
  std::size_t times = 0;
  while (given < rate / 10) {
    const auto some = pace.allow(rate);
    pace.spent(some);
    given += some;
    times += some > 0 ? 1 : 0;
  }
  CHECK(times <= 10);
  CHECK(Pace(0).allow(rate) == rate);
  // The last bytes of something are no crumbs.
  Pace slow(10);
  std::uint64_t last = 0;
  while (last == 0) last = slow.allow(1);
  CHECK(last == 1);
}

TEST_CASE("three relays hand on what the head feeds the first") {
  TempDir dir;
  const std::vector<std::string> contents = {noise(10 * chunk + 17, 1), "", noise(3, 2), noise(4 * chunk, 3)};
  std::vector<std::unique_ptr<Running>> relays;
  std::string last;
  for (std::uint32_t i = 0; i < 3; ++i) {
    auto setup = setup_for(contents, dir.file("a/b/" + std::to_string(i)));
    for (auto peer = i; peer > 0; --peer) setup.peers.push_back(peer - 1);
    relays.push_back(std::make_unique<Running>(setup));
    const auto port = relays.back()->port();
    REQUIRE(!port.empty());
    CHECK(relays.back()->said.ends_with("listening " + port + "\n"));
    if (i == 0) CHECK(relays[0]->hear("need ") == "0 0");
    // The last one is never told of the first.
    if (i > 0) relays[i]->tell("peer " + std::to_string(i - 1) + " 127.0.0.1 " + last + "\n");
    last = port;
  }
  for (std::uint32_t object = 0; object < contents.size(); ++object) {
    relays[0]->feed(object, 0, std::string_view(contents[object]).substr(0, 700));
    if (contents[object].size() > 700) relays[0]->feed(object, 700, std::string_view(contents[object]).substr(700));
  }
  for (std::uint32_t i = 0; i < 3; ++i) {
    relays[i]->hear("done");
    for (const auto& content : contents) CHECK(slurp(dir.file("a/b/" + std::to_string(i) + "/" + hex(digest(content)))) == content);
  }
  for (auto& relay : relays) CHECK(relay->end() == 0);
  CHECK(std::distance(std::filesystem::directory_iterator(dir.file("a/b/2")), {}) == 4);
}

TEST_CASE("the digests go along as the first object, and no file is made of them") {
  TempDir dir;
  const std::vector<std::string> contents = {noise(40 * chunk, 1), noise(3, 2)};
  auto setup = setup_for(contents, dir.file("0"));
  const auto index = add_index(setup);
  Running first(setup);
  const auto port = first.port();
  CHECK(first.hear("need ") == "0 0");
  setup.folder = dir.file("1");
  setup.peers = {0};
  Running second(setup);
  second.port();
  second.tell("peer 0 127.0.0.1 " + port + "\n");
  first.feed(0, 0, index);
  first.feed(1, 0, contents[0]);
  first.feed(2, 0, contents[1]);
  for (auto* relay : {&first, &second}) {
    while (relay->hear("at ") != std::to_string(contents[0].size() + contents[1].size())) {}  // it is not counted
    relay->hear("done");
    CHECK(relay->end() == 0);
  }
  CHECK(second.said.find("from 0\n") != std::string::npos);
  for (const auto* folder : {"0", "1"}) {
    for (const auto& content : contents) CHECK(slurp(dir.file(std::string(folder) + "/" + hex(digest(content)))) == content);
    CHECK(std::distance(std::filesystem::directory_iterator(dir.file(folder)), {}) == 2);
  }

  // What an earlier transfer left is looked at once its digests are known; wrong ones are refused as all is.
  setup.folder = dir.file("2");
  setup.peers.clear();
  std::filesystem::create_directories(setup.folder);
  std::ofstream(dir.file("2/" + setup.objects[1].name + ".part")) << contents[0].substr(0, 7 * chunk + 5);
  Running again(setup);
  again.port();
  CHECK(again.hear("need ") == "0 0");
  again.feed(0, 0, index);
  CHECK(again.hear("need ") == "1 " + std::to_string(7 * chunk));
  again.feed(1, 7 * chunk, std::string_view(contents[0]).substr(7 * chunk));
  again.feed(2, 0, contents[1]);
  again.hear("done");
  CHECK(slurp(dir.file("2/" + setup.objects[1].name)) == contents[0]);
  setup.folder = dir.file("3");
  Running lied_to(setup);
  lied_to.port();
  lied_to.feed(0, 0, noise(index.size(), 9));
  CHECK(lied_to.hear("failed ") == "what the head sent is not what it announced");
  setup.objects[0].size -= digest_size;
  Running other(setup);
  CHECK(other.hear("failed ") == "the head speaks another language");
}

TEST_CASE("whoever comes later is allowed later") {
  TempDir dir;
  const std::vector<std::string> contents = {noise(3 * chunk, 1)};
  auto setup = setup_for(contents, dir.file("0"));
  setup.allowed.clear();
  Running relay(setup);
  CHECK(relay.port() == "0");
  relay.feed(0, 0, contents[0]);
  relay.hear("done");
  relay.tell("allow 127.0.0.2\n");
  const auto port = relay.port();
  const auto authorized = "Authorization: Bearer " + token + "\r\n";
  CHECK(get(port, "/objects/0", authorized).empty());
  relay.tell("allow 127.0.0.1\n");
  std::string got;
  for (int i = 0; got.empty() && i < 100; ++i) {
    got = get(port, "/objects/0", authorized);
    if (got.empty()) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  CHECK(got.ends_with("\r\n\r\n" + contents[0]));
}

TEST_CASE("only who has the token is served") {
  TempDir dir;
  const std::vector<std::string> contents = {noise(3 * chunk, 1)};
  Running relay(setup_for(contents, dir.file("0")));
  const auto port = relay.port();
  relay.feed(0, 0, contents[0]);
  relay.hear("done");
  const auto authorized = "Authorization: Bearer " + token + "\r\n";
  CHECK(get(port, "/objects/0", "").starts_with("HTTP/1.1 401"));
  CHECK(get(port, "/objects/0", "Authorization: Bearer x\r\n").starts_with("HTTP/1.1 401"));
  CHECK(get(port, "/status", "").starts_with("HTTP/1.1 401"));
  CHECK(get(port, "/status", authorized).ends_with("\r\n\r\n1 0"));
  CHECK(get(port, "/objects/0", authorized).ends_with("\r\n\r\n" + contents[0]));
  const auto rest = get(port, "/objects/0", authorized + "Range: bytes=3000-\r\n");
  CHECK(rest.starts_with("HTTP/1.1 206"));
  CHECK(rest.ends_with("\r\n\r\n" + contents[0].substr(3000)));
  CHECK(get(port, "/objects/1", authorized).starts_with("HTTP/1.1 404"));
  CHECK(get(port, "/objects/../../etc/passwd", authorized).starts_with("HTTP/1.1 404"));
  CHECK(get(port, "/objects/0", authorized + "Range: bytes=3072-\r\n").starts_with("HTTP/1.1 416"));

  auto elsewhere = setup_for(contents, dir.file("0"));
  elsewhere.objects[0].have = true;
  elsewhere.allowed = {"127.0.0.2"};
  Running closed(elsewhere);
  CHECK(get(closed.port(), "/objects/0", authorized).empty());
}

TEST_CASE("a wrong chunk is refused, and fetched from somebody else") {
  TempDir dir;
  const std::vector<std::string> contents = {noise(5 * chunk, 1)};
  auto wrong = contents[0];
  wrong[2 * chunk + 5] = static_cast<char>(wrong[2 * chunk + 5] ^ 1);
  const Impostor liar([&](int fd) { send_body(fd, wrong.size(), wrong); });
  const Impostor honest([&](int fd) { send_body(fd, 3 * chunk, std::string_view(contents[0]).substr(2 * chunk)); });
  auto setup = setup_for(contents, dir.file("0"));
  setup.peers = {4, 3};
  Running relay(setup);
  relay.port();
  relay.tell("peer 3 127.0.0.1 " + honest.port + "\npeer 4 127.0.0.1 " + liar.port + "\n");
  const auto bad = relay.hear("bad ");
  CAPTURE(relay.said);
  CHECK(bad == "0 2 4");
  CHECK(relay.hear("from ") == "3");
  relay.hear("done");
  CHECK(slurp(dir.file("0/" + setup.objects[0].name)) == contents[0]);
  CHECK(honest.last_request.find("bytes=" + std::to_string(2 * chunk) + "-") != std::string::npos);
  CHECK(liar.requests == 1);
}

TEST_CASE("a predecessor that dies, offers other bytes, or hangs is left; the head is the last resort") {
  TempDir dir;
  const std::vector<std::string> contents = {noise(5 * chunk, 1)};
  const Impostor dying([&](int fd) { send_body(fd, contents[0].size(), std::string_view(contents[0]).substr(0, chunk + 100)); });
  const Impostor longer([&](int fd) { send_body(fd, contents[0].size() + 1, contents[0] + "x"); });
  std::atomic<bool> enough = false;
  const Impostor hanging([&](int) {
    while (!enough) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  });
  auto setup = setup_for(contents, dir.file("0"));
  setup.peers = {1, 2, 3};
  Running relay(setup);
  relay.port();
  relay.tell("peer 1 127.0.0.1 " + dying.port + "\npeer 2 127.0.0.1 " + longer.port + "\npeer 3 127.0.0.1 " + hanging.port + "\n");
  CHECK(relay.hear("from ") == "1");
  const auto needed = relay.hear("need ");
  enough = true;
  REQUIRE(needed.starts_with("0 "));
  const auto from = std::stoul(needed.substr(2));
  CHECK(from >= chunk + 100);  // to the byte: nothing is sent twice
  relay.feed(0, from, std::string_view(contents[0]).substr(from));
  relay.hear("done");
  CHECK(relay.said.find("lost 1 ") != std::string::npos);
  CHECK(relay.said.find("lost 2 it offers other bytes") != std::string::npos);
  CHECK(relay.said.find("lost 3 ") != std::string::npos);
  CHECK(slurp(dir.file("0/" + setup.objects[0].name)) == contents[0]);
}

TEST_CASE("what an earlier transfer left is taken up as far as it is right") {
  TempDir dir;
  const std::vector<std::string> contents = {noise(5 * chunk, 1), noise(5 * chunk, 2)};
  const auto setup = setup_for(contents, dir.file("0"));
  std::filesystem::create_directories(dir.file("0"));
  auto damaged = contents[0].substr(0, 4 * chunk);
  damaged[3 * chunk] = static_cast<char>(damaged[3 * chunk] ^ 1);
  std::ofstream(dir.file("0/" + setup.objects[0].name + ".part")) << damaged;
  std::ofstream(dir.file("0/" + setup.objects[1].name + ".part")) << contents[1].substr(0, 2 * chunk + 1);
  Running relay(setup);
  relay.port();
  CHECK(relay.hear("need ") == "0 " + std::to_string(3 * chunk));
  relay.feed(0, 3 * chunk, std::string_view(contents[0]).substr(3 * chunk));
  relay.feed(1, 0, contents[1]);
  relay.hear("done");
  for (const auto& content : contents) CHECK(slurp(dir.file("0/" + hex(digest(content)))) == content);
}

TEST_CASE("two transfers never write to one part: the later one waits, and takes up what the other leaves") {
  TempDir dir;
  const std::vector<std::string> contents = {noise(5 * chunk, 1)};
  const auto setup = setup_for(contents, dir.file("0"));
  Running first(setup);
  first.port();
  first.feed(0, 0, std::string_view(contents[0]).substr(0, 2 * chunk));
  while (first.hear("at ") != std::to_string(2 * chunk)) {}
  Running second(setup);
  CHECK(second.hear("at ") == "0");  // it waits
  CHECK(second.said == "ready\n");
  first.feed(0, 2 * chunk, std::string_view(contents[0]).substr(2 * chunk, chunk));
  while (first.hear("at ") != std::to_string(3 * chunk)) {}
  first.hang_up();
  CHECK(second.hear("need ") == "0 " + std::to_string(3 * chunk));

  Running third(setup);
  CHECK(third.hear("failed ") == "another transfer is writing " + dir.file("0/" + setup.objects[0].name) + ".part");
  Running fourth(setup);
  CHECK(fourth.hear("at ") == "0");
  second.feed(0, 3 * chunk, std::string_view(contents[0]).substr(3 * chunk));
  second.hear("done");
  CHECK(slurp(dir.file("0/" + setup.objects[0].name)) == contents[0]);
  CHECK(fourth.hear("need ") == "0 0");  // that one is the other's now
}

TEST_CASE("the head's wrong bytes end it, and so does the head's end") {
  TempDir dir;
  const std::vector<std::string> contents = {noise(2 * chunk, 1)};
  Running relay(setup_for(contents, dir.file("0")));
  relay.port();
  relay.feed(0, 0, noise(2 * chunk, 9));
  CHECK(relay.hear("failed ") == "what the head sent is not what it announced");
  CHECK(relay.end() == unable);
  CHECK_FALSE(std::filesystem::exists(dir.file("0/" + hex(digest(contents[0])))));

  Running orphan(setup_for(contents, dir.file("1")));
  orphan.port();
  orphan.hang_up();
  auto bad = setup_for(contents, "/proc/no/folder");
  Running nowhere(bad);
  CHECK(nowhere.hear("failed ").starts_with("cannot make /proc/no/folder"));
  Running gibberish(setup_for(contents, dir.file("2")));
  gibberish.tell("data 7 0 1\n");
  CHECK(gibberish.hear("failed ") == "the head speaks another language");
}
