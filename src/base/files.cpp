#include "base/files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/text.hpp"

namespace podwright {

namespace fs = std::filesystem;

namespace {

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  [[nodiscard]] int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_;
};

tl::unexpected<Error> system_failure(std::string_view doing, const fs::path& path) {
  const int code = errno;
  std::string hint;
  if (code == ENOSPC) hint = "the disk is full: free some space and run again";
  if (code == EACCES || code == EPERM) hint = "check the permissions";
  return fail(Fault::internal,
              fmt::format("cannot {} {}: {}", doing, path.string(), std::strerror(code)), hint);
}

bool write_all(int fd, std::string_view content) {
  while (!content.empty()) {
    const auto written = ::write(fd, content.data(), content.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return false;
    }
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace

Result<std::string> read_file(const fs::path& path) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return system_failure("read", path);
  std::string content;
  char buffer[65536];
  for (;;) {
    const auto got = ::read(file.get(), buffer, sizeof buffer);
    if (got == 0) return content;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_failure("read", path);
    content.append(buffer, static_cast<std::size_t>(got));
  }
}

Status make_directories(const fs::path& path, unsigned mode) {
  if (path.empty() || fs::is_directory(path)) return {};
  if (auto parents = make_directories(path.parent_path(), mode); !parents) return parents;
  if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST) return system_failure("create", path);
  return {};
}

Status write_file(const fs::path& path, std::string_view content, unsigned mode, OnDisk when) {
  if (auto made = make_directories(path.parent_path()); !made) return made;
  struct stat existing {};
  if (::stat(path.c_str(), &existing) == 0) mode = existing.st_mode & 07777U;
  const auto temporary = path.string() + ".tmp-" + random_hex(4);
  {
    const Fd file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
    if (!file) return system_failure("write", temporary);
    if (!write_all(file.get(), content) || ::fchmod(file.get(), mode) != 0 ||
        (when == OnDisk::now && ::fsync(file.get()) != 0)) {
      auto failure = system_failure("write", path);
      ::unlink(temporary.c_str());
      return failure;
    }
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    auto failure = system_failure("write", path);
    ::unlink(temporary.c_str());
    return failure;
  }
  return {};
}

Status append_file(const fs::path& path, std::string_view content, unsigned mode) {
  if (auto made = make_directories(path.parent_path()); !made) return made;
  const Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, mode));
  if (!file || !write_all(file.get(), content)) return system_failure("append to", path);
  return {};
}

Result<MappedFile> MappedFile::open(const fs::path& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return system_failure("read", path);
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return system_failure("read", path);
  MappedFile file;
  if (status.st_size == 0) return file;
  const auto size = static_cast<std::size_t>(status.st_size);
  void* at = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd.get(), 0);
  if (at == MAP_FAILED) return system_failure("read", path);
  file.bytes_ = {static_cast<const char*>(at), size};
  return file;
}

MappedFile::MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  return *this;
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<char*>(bytes_.data()), bytes_.size());
}

Result<InputFile> InputFile::open(const fs::path& path) {
  InputFile file;
  file.path_ = path;
  file.file_.reset(std::fopen(path.c_str(), "rbe"));
  struct stat status{};
  if (!file.file_ || ::fstat(::fileno(file.file_.get()), &status) != 0) return system_failure("read", path);
  file.size_ = static_cast<std::uint64_t>(status.st_size);
  return file;
}

Status InputFile::read(std::uint64_t offset, std::span<char> into) const {
  while (!into.empty()) {
    const auto got = ::pread(::fileno(file_.get()), into.data(), into.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_failure("read", path_);
    if (got == 0) return fail(Fault::usage, fmt::format("{} has become shorter while it was read", path_.string()), "try again when nobody writes to it");
    offset += static_cast<std::uint64_t>(got);
    into = into.subspan(static_cast<std::size_t>(got));
  }
  return {};
}

fs::path expand_home(std::string_view path) {
  if (path != "~" && !path.starts_with("~/")) return path;
  const char* home = std::getenv("HOME");
  if (home == nullptr || *home == '\0') {
    const auto* user = ::getpwuid(::getuid());
    home = user == nullptr ? "/" : user->pw_dir;
  }
  return std::string(home) + std::string(path.substr(1));
}

fs::path executable_path() {
  std::error_code problem;
  auto path = fs::read_symlink("/proc/self/exe", problem);
  return problem ? fs::path{} : path;
}

}  // namespace podwright
