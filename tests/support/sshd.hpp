/// Real OpenSSH servers on 127.0.0.1 for tests: their keys, their configuration, their end.
#pragma once

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace podwright::test {

/// A folder that goes away with its owner.
class TempDir {
 public:
  TempDir() {
    std::string pattern = "/tmp/podwright-test-XXXXXX";
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp");
    path_ = pattern;
  }
  ~TempDir() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }
  [[nodiscard]] const std::string& path() const { return path_; }
  std::string write(const std::string& name, const std::string& text, mode_t mode = 0600) const {
    const auto path = file(name);
    std::ofstream(path) << text;
    chmod(path.c_str(), mode);
    return path;
  }

 private:
  std::string path_;
};

inline std::string slurp(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Runs a command line; throws when it fails.
inline void must(const std::string& command) {
  if (std::system(command.c_str()) != 0) throw std::runtime_error("failed: " + command);
}

/// A TCP port of 127.0.0.1 that nobody listens on just now.
inline int free_port() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    throw std::runtime_error("bind");
  }
  socklen_t size = sizeof address;
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  close(fd);
  return ntohs(address.sin_port);
}

inline bool accepts(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  const bool connected = connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  close(fd);
  return connected;
}

/// A user's key pair: `path` and `path`.pub. Made by ssh-keygen.
inline std::string make_key(const TempDir& folder, const std::string& name,
                            const std::string& passphrase = "",
                            const std::string& type = "ed25519") {
  const auto path = folder.file(name);
  must("ssh-keygen -q -a 1 -t " + type + " -N '" + passphrase + "' -C " + name + " -f " + path);
  return path;
}

/// One sshd. It lets `authorized` in as whoever runs the test, or as any user of the machine.
class Sshd {
 public:
  struct Options {
    std::string authorized{};  ///< files of public keys, separated by blanks
    std::string extra{};       ///< lines of sshd_config that come first, and so win
    std::string host_key{};    ///< an existing host key; empty: a new ed25519 one
    int port = 0;              ///< 0: a free one
  };

  explicit Sshd(Options options)
      : port(options.port != 0 ? options.port : free_port()), options_(std::move(options)) {
    host_key = options_.host_key.empty() ? make_key(dir_, "host") : options_.host_key;
    std::string keys;
    for (std::size_t at = 0; at < options_.authorized.size();) {
      auto end = options_.authorized.find(' ', at);
      if (end == std::string::npos) end = options_.authorized.size();
      keys += slurp(options_.authorized.substr(at, end - at));
      at = end + 1;
    }
    dir_.write("authorized_keys", keys, 0644);
    chmod(dir_.path().c_str(), 0755);
    write_config();
    start();
  }
  ~Sshd() {
    kill_sessions();
    stop();
  }
  Sshd(const Sshd&) = delete;
  Sshd& operator=(const Sshd&) = delete;

  void start() {
    std::filesystem::create_directories("/run/sshd");  // sshd's privilege separation wants it
    const auto config = dir_.file("sshd_config");
    const auto log = dir_.file("log");
    pid_ = fork();
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGTERM);
      setsid();
      const int out = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
      dup2(out, 1);
      dup2(out, 2);
      execl("/usr/sbin/sshd", "/usr/sbin/sshd", "-D", "-e", "-f", config.c_str(), nullptr);
      _exit(127);
    }
    for (int i = 0; i < 200; ++i) {
      if (accepts(port)) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(25));
    }
    throw std::runtime_error("sshd does not start (is openssh-server installed?): " + slurp(log));
  }

  /// Ends the listener; sessions that are open live on, as they do with a real restart.
  void stop() {
    if (pid_ <= 0) return;
    kill(pid_, SIGTERM);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  /// Ends every session's server process, as a crash would.
  void kill_sessions() const {
    for (const auto pid : children()) kill(pid, SIGKILL);
  }
  [[nodiscard]] std::vector<pid_t> children() const {
    std::vector<pid_t> found;
    const auto path =
        "/proc/" + std::to_string(pid_) + "/task/" + std::to_string(pid_) + "/children";
    std::ifstream file(path);
    for (pid_t pid = 0; file >> pid;) found.push_back(pid);
    return found;
  }
  /// "[127.0.0.1]:PORT ssh-ed25519 AAAA…", a line of known_hosts.
  [[nodiscard]] std::string known_hosts_line() const {
    const auto key = slurp(host_key + ".pub");
    return "[127.0.0.1]:" + std::to_string(port) + " " + key.substr(0, key.rfind(' ')) + "\n";
  }
  [[nodiscard]] std::string log() const { return slurp(dir_.file("log")); }

  const int port;
  std::string host_key;

 private:
  /// What `extra` does not say itself.
  void write_config() const {
    const std::vector<std::string> defaults = {
        "Port " + std::to_string(port), "ListenAddress 127.0.0.1", "HostKey " + host_key,
        "AuthorizedKeysFile " + dir_.file("authorized_keys"), "StrictModes no", "PidFile none",
        "UsePAM no", "UseDNS no", "PrintMotd no", "PrintLastLog no", "PermitRootLogin yes",
        "PasswordAuthentication no", "KbdInteractiveAuthentication no", "MaxStartups 1000:30:2000",
        "MaxSessions 100", "LogLevel VERBOSE", "Subsystem sftp internal-sftp",
        // No start-up files of whoever runs the tests.
        "SetEnv HOME=" + dir_.path()};
    auto text = options_.extra + "\n";
    for (const auto& line : defaults) {
      const auto keyword = line.substr(0, line.find(' ') + 1);
      if (keyword == "HostKey " || options_.extra.find(keyword) == std::string::npos)
        text += line + "\n";
    }
    dir_.write("sshd_config", text);
  }

  TempDir dir_;
  Options options_;
  pid_t pid_ = -1;
};

}  // namespace podwright::test
