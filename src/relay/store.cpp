#include "relay/store.hpp"

// The new interface drags all of libcrypto, 4 MB, into a program that is sent to every node.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <fcntl.h>
#include <openssl/sha.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace podwright::relay {

namespace {

/// A successor at our heels is served from memory.
constexpr std::size_t recent_limit = 4U << 20U;
/// Written back early, so that the end of a large file does not wait for all of it.
constexpr std::uint64_t flush_every = 8U << 20U;
constexpr std::uint64_t tell_every = 64U << 20U;

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

Store::Store(const Setup& setup, std::function<void()> working) : setup_(setup), working_(std::move(working)) {
  std::uint64_t next = 0;
  for (const auto& object : setup_.objects) {
    first_chunk_.push_back(next);
    next += chunk_count(object.size, setup_.chunk);
  }
}

Store::~Store() {
  for (const int fd : {part_, reading_}) {
    if (fd >= 0) close(fd);
  }
}

bool Store::fail(const std::string& what) {
  problem_ = what + ": " + std::strerror(errno);
  return false;
}

std::string Store::path(std::uint32_t object) const { return setup_.folder + "/" + setup_.objects[object].sha256; }

std::uint64_t Store::chunk_size(std::uint32_t object, std::uint64_t chunk) const {
  return std::min(setup_.chunk, setup_.objects[object].size - chunk * setup_.chunk);
}

bool Store::right(std::uint32_t object, std::uint64_t chunk, std::string_view bytes) const {
  unsigned char digest[digest_size];
  SHA256_CTX context;
  SHA256_Init(&context);
  SHA256_Update(&context, bytes.data(), bytes.size());
  SHA256_Final(digest, &context);
  return std::memcmp(digest, setup_.hashes.data() + (first_chunk_[object] + chunk) * digest_size, digest_size) == 0;
}

bool Store::open() {
  if (!make_folders(setup_.folder)) return fail("cannot make " + setup_.folder);
  return begin_object();
}

/// Opens the next object that is lacking; empty ones are made at once.
bool Store::begin_object() {
  for (; current_ < setup_.objects.size(); ++current_) {
    if (setup_.objects[current_].have) continue;
    proven_ = 0;
    filled_ = 0;
    flushed_ = 0;
    const auto name = path(current_) + ".part";
    part_ = ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (part_ < 0) return fail("cannot write " + name);
    if (!take_up()) return false;
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
  if (ftruncate(part_, static_cast<off_t>(proven_)) != 0) return fail("cannot cut " + path(current_) + ".part");
  flushed_ = proven_;
  return true;
}

bool Store::finish_object() {
  const auto name = path(current_);
  close(part_);
  part_ = -1;
  if (rename((name + ".part").c_str(), name.c_str()) != 0) return fail("cannot rename " + name + ".part");
  return true;
}

bool Store::sync(const std::string& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool written = syncfs(fd) == 0;
  close(fd);
  return written;
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
  const auto size = static_cast<std::size_t>(chunk_size(current_, proven_ / setup_.chunk));
  if (!pending_) {
    pending_ = std::make_shared<std::string>();
    pending_->resize(size);
  }
  return std::span(*pending_).subspan(filled_);
}

Store::Accepted Store::commit(std::size_t bytes) {
  filled_ += bytes;
  if (filled_ < pending_->size()) return Accepted::ok;
  filled_ = 0;
  const auto chunk = proven_ / setup_.chunk;
  const std::shared_ptr<const std::string> whole = std::exchange(pending_, nullptr);
  if (!right(current_, chunk, *whole)) {
    bad_chunk_ = chunk;
    return Accepted::bad_chunk;
  }
  if (!write_fully(part_, *whole, proven_)) {
    fail("cannot write " + path(current_));
    return Accepted::disk;
  }
  recent_.push_back({current_, proven_, whole});
  recent_bytes_ += whole->size();
  while (recent_bytes_ > recent_limit && recent_.size() > 1) {
    recent_bytes_ -= recent_.front().chunk->size();
    recent_.pop_front();
  }
  proven_ += whole->size();
  proven_bytes_ += whole->size();
  if (proven_ - flushed_ >= flush_every) {
    sync_file_range(part_, static_cast<off64_t>(flushed_), static_cast<off64_t>(proven_ - flushed_), SYNC_FILE_RANGE_WRITE);
    flushed_ = proven_;
  }
  if (proven_ < setup_.objects[current_].size) return Accepted::ok;
  if (!finish_object()) return Accepted::disk;
  ++current_;
  return begin_object() ? Accepted::ok : Accepted::disk;
}

std::optional<Store::Piece> Store::read(std::uint32_t object, std::uint64_t offset) {
  const auto chunk = offset / setup_.chunk;
  const auto start = chunk * setup_.chunk;
  const auto from = static_cast<std::size_t>(offset - start);
  // The successor is near the end: look from there.
  for (auto each = recent_.rbegin(); each != recent_.rend(); ++each) {
    if (each->object != object || each->offset != start) continue;
    return Piece{each->chunk, std::string_view(*each->chunk).substr(from)};
  }
  if (reading_ < 0 || reading_object_ != object) {
    if (reading_ >= 0) close(reading_);
    // The current object still has its other name; an open file keeps its place when it is renamed.
    const auto name = path(object);
    reading_ = ::open((object == current_ ? name + ".part" : name).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    reading_object_ = object;
    if (reading_ < 0) return std::nullopt;
  }
  auto bytes = std::make_shared<std::string>();
  bytes->resize(static_cast<std::size_t>(chunk_size(object, chunk)));
  if (!read_fully(reading_, bytes->data(), bytes->size(), start)) return std::nullopt;
  return Piece{bytes, std::string_view(*bytes).substr(from)};
}

}  // namespace podwright::relay
