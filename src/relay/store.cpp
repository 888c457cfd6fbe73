#include "relay/store.hpp"

// The new interface drags all of libcrypto, 4 MB, into a program that is sent to every node.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <fcntl.h>
#include <openssl/sha.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

namespace podwright::relay {

namespace {

/// A large file is written to the disk so far behind what is received, and once more so far behind leaves the
/// memory to whoever works on the node: successors are nearer. In bytes, or in chunks where those are large.
constexpr std::uint64_t behind_bytes = 8U << 20U;
constexpr std::uint64_t behind_chunks = 4;
/// At once: fewer and larger requests suit a disk.
constexpr std::uint64_t stride = 2U << 20U;
constexpr std::uint64_t tell_every = 64U << 20U;
/// To have more files than these written costs more than to have all that their file system holds back.
constexpr std::size_t few_files = 16;
/// An interrupted transfer's relay may still be at its end, waiting for the disk.
constexpr std::chrono::milliseconds others_end_within{5000};
constexpr std::chrono::milliseconds look_again_after{100};

/// Whether `path` still is the file that was opened: another transfer may have finished or removed it meanwhile.
bool is_still(const std::string& path, int fd) {
  struct stat named {};
  struct stat opened {};
  return stat(path.c_str(), &named) == 0 && fstat(fd, &opened) == 0 && named.st_dev == opened.st_dev && named.st_ino == opened.st_ino;
}

bool make_folders(const std::string& path) {
  for (std::size_t end = 1; end != std::string::npos;) {
    end = path.find('/', end + 1);
    if (mkdir(path.substr(0, end).c_str(), 0755) != 0 && errno != EEXIST) return false;
  }
  return true;
}

bool read_fully(int fd, char* into, std::size_t size, std::uint64_t offset) {
  while (size > 0) {
    const auto got = pread(fd, into, size, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    into += got;
    size -= static_cast<std::size_t>(got);
    offset += static_cast<std::uint64_t>(got);
  }
  return true;
}

bool write_fully(int fd, std::string_view bytes, std::uint64_t offset) {
  while (!bytes.empty()) {
    const auto put = pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(put));
    offset += static_cast<std::uint64_t>(put);
  }
  return true;
}

}  // namespace

Store::Store(const Setup& setup, std::function<void()> working) : setup_(setup), working_(std::move(working)), hashes_(setup.hashes) {
  std::uint64_t next = 0;
  for (const auto& object : setup_.objects) {
    first_chunk_.push_back(next);
    next += chunk_count(object.size, setup_.chunk);
  }
}

Store::~Store() {
  for (const int fd : {part_, reading_, folder_, index_}) {
    if (fd >= 0) close(fd);
  }
}

bool Store::fail(const std::string& what) {
  problem_ = what + ": " + std::strerror(errno);
  return false;
}

std::string Store::path(std::uint32_t object) const { return setup_.folder + "/" + setup_.prefix + setup_.objects[object].name; }

std::uint64_t Store::chunk_size(std::uint32_t object, std::uint64_t chunk) const {
  return std::min(setup_.chunk, setup_.objects[object].size - chunk * setup_.chunk);
}

bool Store::right(std::uint32_t object, std::uint64_t chunk, std::string_view bytes) const {
  unsigned char digest[digest_size];
  SHA256_CTX context;
  SHA256_Init(&context);
  SHA256_Update(&context, bytes.data(), bytes.size());
  SHA256_Final(digest, &context);
  return std::memcmp(digest, hashes_.data() + (first_chunk_[object] + chunk) * digest_size, digest_size) == 0;
}

bool Store::open() {
  if (!make_folders(setup_.folder)) return fail("cannot make " + setup_.folder);
  share_folder();
  return look_for_room() && begin_object();
}

/// As long as it is locked by anybody, whoever ends removes no parts there. Where locks do not work, nothing removes any.
void Store::share_folder() {
  folder_ = ::open(setup_.folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder_ >= 0) flock(folder_, LOCK_SH | LOCK_NB);
}

/// Opens a part that no other transfer writes to: it would be cut under its hands.
bool Store::open_part(const std::string& name) {
  const auto begun = std::chrono::steady_clock::now();
  for (;;) {
    part_ = ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (part_ < 0) return fail("cannot write " + name);
    const bool ours = flock(part_, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
    if (ours && is_still(name, part_)) return true;
    close(std::exchange(part_, -1));
    if (ours) continue;
    if (std::chrono::steady_clock::now() - begun > others_end_within) {
      problem_ = "another transfer is writing " + name;
      return false;
    }
    working_();
    std::this_thread::sleep_for(look_again_after);
  }
}

/// What is there of an object already takes no more. Where it cannot be known, writing will tell.
bool Store::look_for_room() {
  struct statvfs system {};
  if (statvfs(setup_.folder.c_str(), &system) != 0) return true;
  std::uint64_t needed = 0;
  for (std::uint32_t object = 0; object < setup_.objects.size(); ++object) {
    const auto size = setup_.objects[object].size;
    struct stat part {};
    if (setup_.objects[object].have || is_index(object)) continue;
    const bool begun = stat((path(object) + ".part").c_str(), &part) == 0;
    needed += size - std::min(size, begun ? static_cast<std::uint64_t>(part.st_blocks) * 512 : 0);
  }
  const auto free = static_cast<std::uint64_t>(system.f_bavail) * system.f_frsize;
  if (needed == 0 || free >= needed + room_to_spare) return true;
  lack_ = Lack{.free = free, .needed = needed};
  return false;
}

/// Opens the next object that is lacking; empty ones are made at once.
bool Store::begin_object() {
  for (; current_ < setup_.objects.size(); ++current_) {
    if (setup_.objects[current_].have) continue;
    proven_ = 0;
    filled_ = 0;
    if (is_index(current_)) {
      part_ = memfd_create("digests", MFD_CLOEXEC);
      return part_ >= 0 || fail("no memory for digests");
    }
    const auto name = path(current_) + ".part";
    if (!open_part(name) || !take_up()) return false;
    if (proven_ < setup_.objects[current_].size) return true;
    if (!finish_object()) return false;
  }
  return true;
}

/// What is there already of the current object, as far as it is right.
bool Store::take_up() {
  struct stat status {};
  if (fstat(part_, &status) != 0) return fail("cannot look at " + path(current_) + ".part");
  const auto size = std::min(static_cast<std::uint64_t>(status.st_size), setup_.objects[current_].size);
  std::string bytes;
  while (proven_ < size) {
    const auto chunk = proven_ / setup_.chunk;
    bytes.resize(static_cast<std::size_t>(chunk_size(current_, chunk)));
    if (proven_ + bytes.size() > size || !read_fully(part_, bytes.data(), bytes.size(), proven_)) break;
    if (!right(current_, chunk, bytes)) break;
    if (proven_ / tell_every != (proven_ + bytes.size()) / tell_every) working_();
    proven_ += bytes.size();
    proven_bytes_ += bytes.size();
  }
  // Only where there is something to cut: ext4 has a file that was cut to nothing written out when it is closed.
  if (static_cast<std::uint64_t>(status.st_size) != proven_ && ftruncate(part_, static_cast<off_t>(proven_)) != 0) {
    return fail("cannot cut " + path(current_) + ".part");
  }
  left_ = proven_ / stride * stride;
  return true;
}

bool Store::finish_index() {
  index_ = std::exchange(part_, -1);
  const auto known = hashes_.size();
  hashes_.resize(known + static_cast<std::size_t>(setup_.objects.front().size));
  return read_fully(index_, hashes_.data() + known, hashes_.size() - known, 0) || fail("cannot read digests");
}

bool Store::finish_object() {
  if (is_index(current_)) return finish_index();
  const auto name = path(current_);
  const bool renamed = rename((name + ".part").c_str(), name.c_str()) == 0;
  if (!renamed) fail("cannot rename " + name + ".part");
  close(std::exchange(part_, -1));
  return renamed;
}

Store::Unwritten Store::unwritten() const {
  Unwritten what{.folder = setup_.folder, .files = {}};
  for (std::uint32_t object = 0; object < current_; ++object) {
    if (!setup_.objects[object].have && !is_index(object)) what.files.push_back(path(object));
  }
  if (what.files.size() > few_files) what.files.clear();
  else what.files.push_back(setup_.folder);  // for their names
  return what;
}

bool Store::sync(const Unwritten& what) {
  const auto written = [](const std::string& path, auto write) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    const bool done = write(fd) == 0;
    close(fd);
    return done;
  };
  if (what.files.empty()) return written(what.folder, syncfs);
  return std::ranges::all_of(what.files, [&](const auto& file) { return written(file, fsync); });
}

Position Store::wanted() const {
  if (complete()) return {current_, 0};
  return {current_, proven_ + filled_};
}

bool Store::has_part(std::uint32_t object) const {
  struct stat status {};
  return stat((path(object) + ".part").c_str(), &status) == 0 && status.st_size > 0;
}

std::uint64_t Store::proven(std::uint32_t object) const {
  if (setup_.objects[object].have || object < current_) return setup_.objects[object].size;
  return object == current_ ? proven_ : 0;
}

Position Store::proven() const { return {current_, complete() ? 0 : proven_}; }

std::span<char> Store::room() {
  pending_.resize(static_cast<std::size_t>(chunk_size(current_, proven_ / setup_.chunk)));
  return std::span(pending_).subspan(filled_);
}

/// Told once, the kernel begins to write what nobody reads any more; told again when that was written, it
/// takes the memory back.
void Store::leave_memory() {
  const auto behind = std::max(behind_bytes, behind_chunks * setup_.chunk);
  for (; proven_ >= left_ + behind + stride; left_ += stride) {
    posix_fadvise(part_, static_cast<off_t>(left_), static_cast<off_t>(stride), POSIX_FADV_DONTNEED);
    if (left_ < behind) continue;
    posix_fadvise(part_, static_cast<off_t>(left_ - behind), static_cast<off_t>(stride), POSIX_FADV_DONTNEED);
  }
}

Store::Accepted Store::commit(std::size_t bytes) {
  filled_ += bytes;
  if (filled_ < pending_.size()) return Accepted::ok;
  filled_ = 0;
  const auto chunk = proven_ / setup_.chunk;
  if (!right(current_, chunk, pending_)) {
    bad_chunk_ = chunk;
    return Accepted::bad_chunk;
  }
  if (!write_fully(part_, pending_, proven_)) {
    fail("cannot write " + path(current_));
    return Accepted::disk;
  }
  proven_ += pending_.size();
  if (!is_index(current_)) {
    proven_bytes_ += pending_.size();
    leave_memory();
  }
  if (proven_ < setup_.objects[current_].size) return Accepted::ok;
  if (!finish_object()) return Accepted::disk;
  ++current_;
  return begin_object() ? Accepted::ok : Accepted::disk;
}

int Store::file(std::uint32_t object) {
  if (is_index(object)) return index_ >= 0 ? index_ : part_;
  if (reading_ >= 0 && reading_object_ == object) return reading_;
  if (reading_ >= 0) close(reading_);
  // The current object still has its other name; an open file keeps its place when it is renamed.
  const auto name = path(object);
  reading_ = ::open((object == current_ ? name + ".part" : name).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  reading_object_ = object;
  return reading_;
}

}  // namespace podwright::relay
