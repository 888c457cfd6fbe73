#include "bundle/packed.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "base/digest.hpp"
#include "base/text.hpp"

namespace podwright {

namespace fs = std::filesystem;

namespace {

constexpr int compression_level = 3;
/// For what is compressed already, as packages are: passed on almost as it is. Zstandard's own tool calls it
/// --fast=100.
constexpr int passing_level = -100;
/// A member is compressed already where samples of it become no smaller than this share.
constexpr double worth_compressing = 0.95;
constexpr std::size_t sample_size = std::size_t{128} << 10U;
constexpr std::size_t block_size = std::size_t{1} << 20U;
constexpr std::uint64_t write_behind = 16U << 20U;

struct FileCloser {
  void operator()(std::FILE* file) const { (void)std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, FileCloser>;

struct Block {
  std::unique_ptr<char[]> memory = std::make_unique_for_overwrite<char[]>(block_size);
  std::size_t size = 0;  ///< of it is filled
  [[nodiscard]] std::string_view bytes() const { return {memory.get(), size}; }
};
using SharedBlock = std::shared_ptr<Block>;

/// Blocks that are used again and again: asking the system for a gigabyte in pieces costs as much as its digest.
class Pool {
 public:
  SharedBlock get() {
    const std::scoped_lock lock(shelf_->mutex);
    if (shelf_->blocks.empty()) shelf_->blocks.push_back(std::make_unique<Block>());
    auto block = std::move(shelf_->blocks.back());
    shelf_->blocks.pop_back();
    block->size = 0;
    return {block.release(), [shelf = shelf_](Block* used) {
              const std::scoped_lock again(shelf->mutex);
              shelf->blocks.emplace_back(used);
            }};
  }

 private:
  struct Shelf {
    std::mutex mutex;
    std::vector<std::unique_ptr<Block>> blocks;
  };
  std::shared_ptr<Shelf> shelf_ = std::make_shared<Shelf>();
};

/// Takes blocks in turn, in a thread of its own; who gives them waits when it falls behind.
class Taker {
 public:
  explicit Taker(std::function<void(std::string_view)> take) : take_(std::move(take)), thread_([this] { work(); }) {}
  ~Taker() {
    {
      const std::scoped_lock lock(mutex_);
      ended_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  Taker(const Taker&) = delete;
  Taker& operator=(const Taker&) = delete;

  void put(SharedBlock block) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return waiting_.size() < most_waiting; });
    waiting_.push_back(std::move(block));
    changed_.notify_all();
  }
  /// Until all that was put was taken.
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return waiting_.empty(); });
  }

 private:
  static constexpr std::size_t most_waiting = 8;

  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return ended_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      const auto block = waiting_.front();
      lock.unlock();
      take_(block->bytes());
      lock.lock();
      waiting_.pop_front();
      changed_.notify_all();
    }
  }

  std::function<void(std::string_view)> take_;
  std::mutex mutex_{};
  std::condition_variable changed_{};
  std::deque<SharedBlock> waiting_{};  ///< the first one is being taken
  bool ended_ = false;
  std::thread thread_;
};

/// Writes and digests beside each other and beside the compressor, so that none waits for another.
class Writer {
 public:
  Writer(File file, Pool& pool) : file_(std::move(file)), pool_(pool) {}

  /// Room for the next bytes, and how many were put there.
  std::span<char> room() { return std::span(gathered_->memory.get(), block_size).subspan(gathered_->size); }
  void filled(std::size_t bytes) {
    gathered_->size += bytes;
    if (gathered_->size == block_size) hand_over();
  }
  /// Whether all of it is on the disk.
  bool finish() {
    hand_over();
    writing_.wait();
    digesting_.wait();
    if (std::fflush(file_.get()) != 0 || ::fsync(::fileno(file_.get())) != 0) failed_ = true;
    file_.reset();
    return !failed_;
  }
  /// After finish().
  [[nodiscard]] std::uint64_t written() const { return written_; }
  std::string digest() { return digest_.hex(); }

 private:
  void hand_over() {
    const auto block = std::exchange(gathered_, pool_.get());
    writing_.put(block);
    digesting_.put(block);
  }
  void write(std::string_view bytes) {
    // What cannot be written is not waited for: the end tells.
    if (failed_ || std::fwrite(bytes.data(), 1, bytes.size(), file_.get()) != bytes.size()) failed_ = true;
    written_ += bytes.size();
    // The disk begins now, so that the fsync of the end has little left to wait for.
    if (written_ - begun_ < write_behind) return;
    (void)std::fflush(file_.get());
    (void)::sync_file_range(::fileno(file_.get()), static_cast<off64_t>(begun_), static_cast<off64_t>(written_ - begun_), SYNC_FILE_RANGE_WRITE);
    begun_ = written_;
  }

  File file_;
  Pool& pool_;
  SharedBlock gathered_ = pool_.get();
  // Of the threads, until they were waited for.
  bool failed_ = false;
  std::uint64_t written_ = 0;
  std::uint64_t begun_ = 0;  ///< so much the disk was told to write
  Sha256 digest_{};
  Taker writing_{[this](std::string_view bytes) { write(bytes); }};
  Taker digesting_{[this](std::string_view bytes) { digest_.add(bytes); }};
};

/// Whether compression would make it smaller, judged by its beginning and its middle.
bool shrinks(std::FILE* file, std::uint64_t size) {
  std::vector<char> sample(sample_size);
  std::vector<char> packed(ZSTD_compressBound(sample_size));
  for (const std::uint64_t place : {std::uint64_t{0}, size / 2}) {
    const auto got = ::pread(::fileno(file), sample.data(), sample.size(), static_cast<off_t>(place));
    if (got <= 0) continue;
    const auto left = ZSTD_compress(packed.data(), packed.size(), sample.data(), static_cast<std::size_t>(got), 1);
    if (ZSTD_isError(left) == 0 && static_cast<double>(left) < worth_compressing * static_cast<double>(got)) return true;
  }
  return false;
}

}  // namespace

bool is_plain_member(std::string_view path) {
  if (path.empty() || path.size() > 4096 || path.front() == '/') return false;
  if (std::ranges::any_of(path, [](unsigned char c) { return c < 0x20 || c == 0x7f || c == '\\'; })) return false;
  return std::ranges::none_of(split(path, '/'), [](auto part) { return part.empty() || part == "." || part == ".."; });
}

// --- writing -------------------------------------------------------------------------------------------

struct Packer::Impl {
  fs::path file;
  fs::path temporary;
  Pool pool{};
  std::unique_ptr<Writer> out{};
  std::unique_ptr<ZSTD_CCtx, std::size_t (*)(ZSTD_CCtx*)> zstd{ZSTD_createCCtx(), &ZSTD_freeCCtx};
  std::unique_ptr<archive, int (*)(archive*)> tar{archive_write_new(), &archive_write_free};
  static constexpr int no_level = 0;
  int level = no_level;
  std::string problem{};

  bool compress(std::string_view bytes, ZSTD_EndDirective mode) {
    ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
    for (;;) {
      const auto room = out->room();
      ZSTD_outBuffer packed{room.data(), room.size(), 0};
      const auto left = ZSTD_compressStream2(zstd.get(), &packed, &in, mode);
      if (ZSTD_isError(left) != 0) {
        problem = ZSTD_getErrorName(left);
        return false;
      }
      out->filled(packed.pos);
      if (mode == ZSTD_e_end ? left == 0 : in.pos == in.size) return true;
    }
  }

  /// The level of what follows, in a new frame where it changes. With workers the bytes do not depend on how
  /// many there are; what is passed on needs none.
  bool compress_at(int wanted) {
    if (level == wanted) return true;
    if (level != no_level && !compress({}, ZSTD_e_end)) return false;
    level = wanted;
    const auto workers = static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1U, 16U));
    for (const auto& [parameter, value] : {std::pair{ZSTD_c_compressionLevel, level},
                                           {ZSTD_c_nbWorkers, level == passing_level ? 0 : workers}}) {
      if (ZSTD_isError(ZSTD_CCtx_setParameter(zstd.get(), parameter, value)) == 0) continue;
      problem = "this libzstd was built without threads, which would change the bytes of bundles";
      return false;
    }
    // A job each: 8 MiB bounds the memory, whatever the number of processors.
    if (level != passing_level) ZSTD_CCtx_setParameter(zstd.get(), ZSTD_c_jobSize, 8 << 20);
    return true;
  }

  static la_ssize_t on_bytes(archive*, void* self, const void* bytes, std::size_t size) {
    auto& impl = *static_cast<Impl*>(self);
    if (!impl.compress({static_cast<const char*>(bytes), size}, ZSTD_e_continue)) return -1;
    return static_cast<la_ssize_t>(size);
  }

  [[nodiscard]] tl::unexpected<Error> failure() const {
    const char* said = archive_error_string(tar.get());
    return fail(Fault::internal, fmt::format("{} cannot be written: {}", file.string(), !problem.empty() ? problem : said == nullptr ? "unknown reason" : said),
                fmt::format("is there room in {}?", file.parent_path().empty() ? "." : file.parent_path().string()));
  }

  Status header(const std::string& path, std::uint64_t size) {
    const std::unique_ptr<archive_entry, void (*)(archive_entry*)> entry(archive_entry_new(), &archive_entry_free);
    archive_entry_set_pathname(entry.get(), path.c_str());
    archive_entry_set_size(entry.get(), static_cast<la_int64_t>(size));
    archive_entry_set_filetype(entry.get(), AE_IFREG);
    archive_entry_set_perm(entry.get(), 0644);
    archive_entry_set_mtime(entry.get(), 0, 0);
    if (archive_write_header(tar.get(), entry.get()) != ARCHIVE_OK) return failure();
    return {};
  }
};

Packer::Packer(const fs::path& file) : impl_(std::make_unique<Impl>()) {
  impl_->file = file;
  impl_->temporary = file.string() + ".part-" + random_hex(4);
}

Packer::~Packer() {
  if (!impl_->temporary.empty()) ::unlink(impl_->temporary.c_str());
}

Status Packer::open() {
  auto& impl = *impl_;
  File out(std::fopen(impl.temporary.c_str(), "wbe"));
  if (!out) return impl.failure();
  impl.out = std::make_unique<Writer>(std::move(out), impl.pool);
  ZSTD_CCtx_setParameter(impl.zstd.get(), ZSTD_c_checksumFlag, 1);
  auto* tar = impl.tar.get();
  archive_write_set_format_pax_restricted(tar);
  archive_write_set_bytes_per_block(tar, 0);  // it is gathered behind the compressor
  if (archive_write_open(tar, impl_.get(), nullptr, &Impl::on_bytes, nullptr) != ARCHIVE_OK) return impl.failure();
  return {};
}

Status Packer::add(const std::string& path, std::string_view content) {
  if (!impl_->compress_at(compression_level)) return impl_->failure();
  if (auto headed = impl_->header(path, content.size()); !headed) return headed;
  if (archive_write_data(impl_->tar.get(), content.data(), content.size()) != static_cast<la_ssize_t>(content.size())) return impl_->failure();
  return {};
}

Status Packer::add_file(const std::string& path, const fs::path& source, std::uint64_t size, const std::string& sha256) {
  const File in(std::fopen(source.c_str(), "rbe"));
  if (!in) return fail(Fault::internal, source.string() + " cannot be read");
  if (!impl_->compress_at(shrinks(in.get(), size) ? compression_level : passing_level)) return impl_->failure();
  if (auto headed = impl_->header(path, size); !headed) return headed;
  Sha256 digest;
  std::uint64_t total = 0;
  {
    std::optional<Taker> digesting;
    if (!sha256.empty()) digesting.emplace([&](std::string_view bytes) { digest.add(bytes); });
    while (total <= size) {
      const auto block = impl_->pool.get();
      const auto got = ::read(::fileno(in.get()), block->memory.get(), block_size);
      if (got <= 0) break;
      block->size = static_cast<std::size_t>(got);
      total += block->size;
      if (digesting) digesting->put(block);
      if (total > size || archive_write_data(impl_->tar.get(), block->memory.get(), block->size) != got) break;
    }
  }
  if (!impl_->problem.empty()) return impl_->failure();
  if (total != size || (!sha256.empty() && digest.hex() != sha256)) {
    return fail(Fault::validation, fmt::format("{} is not what the lock says: it was changed or damaged", source.string()),
                "take the right file, or lock again");
  }
  return {};
}

Result<Packer::Packed> Packer::finish() {
  auto& impl = *impl_;
  if (archive_write_close(impl.tar.get()) != ARCHIVE_OK || !impl.compress({}, ZSTD_e_end)) return impl.failure();
  if (!impl.out->finish()) {
    impl.problem = "not all bytes could be written";
    return impl.failure();
  }
  std::error_code problem;
  fs::rename(impl.temporary, impl.file, problem);
  if (problem) {
    impl.problem = problem.message();
    return impl.failure();
  }
  impl.temporary.clear();
  return Packed{.bytes = impl.out->written(), .sha256 = impl.out->digest()};
}

// --- reading -------------------------------------------------------------------------------------------

namespace {

/// The tar's bytes, as they come out of zstd: read and unpacked ahead, in a thread of its own.
class Source {
 public:
  explicit Source(const std::function<void(std::string_view)>& file_bytes) {
    if (file_bytes) file_bytes_ = std::make_unique<Taker>(file_bytes);
  }
  ~Source() {
    {
      const std::scoped_lock lock(mutex_);
      given_up_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
  }
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  Status open(const fs::path& file) {
    in_.reset(std::fopen(file.c_str(), "rbe"));
    if (!in_) return fail(Fault::usage, file.string() + " cannot be read", "is that the bundle's path?");
    // 128 MiB: what zstd's own tool takes without being told to.
    ZSTD_DCtx_setParameter(zstd_.get(), ZSTD_d_windowLogMax, 27);
    thread_ = std::thread([this] { work(); });
    return {};
  }

  /// The next bytes; empty at the end, or with a problem.
  std::string_view next() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return ended_ || !ready_.empty(); });
    if (ready_.empty()) {
      problem_ = found_;
      return {};
    }
    last_ = std::move(ready_.front());
    ready_.pop_front();
    changed_.notify_all();
    given_ += last_->size;
    return last_->bytes();
  }
  /// Once next() was empty.
  [[nodiscard]] const std::string& problem() const { return problem_; }
  /// What was given behind byte `position`: the rest of the last block.
  [[nodiscard]] std::string_view unused(std::uint64_t position) const {
    if (!last_) return {};
    const auto last = last_->bytes();
    const auto start = given_ - last.size();
    return position <= start ? last : last.substr(std::min<std::size_t>(position - start, last.size()));
  }

  static la_ssize_t on_read(archive*, void* self, const void** bytes) {
    const auto block = static_cast<Source*>(self)->next();
    *bytes = block.data();
    return static_cast<Source*>(self)->problem_.empty() ? static_cast<la_ssize_t>(block.size()) : -1;
  }

 private:
  static constexpr std::size_t most_ready = 8;

  void work() {
    for (;;) {
      auto block = pool_.get();
      const auto problem = unpack_into(*block);
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return given_up_ || ready_.size() < most_ready; });
      if (given_up_) return;
      if (block->size == 0) {
        found_ = problem;
        ended_ = true;
      } else {
        ready_.push_back(std::move(block));
      }
      changed_.notify_all();
      if (ended_) return;
    }
  }

  /// Fills the block with what comes next. Left empty: that was all, or there is a problem.
  std::string unpack_into(Block& block) {
    for (;;) {
      if (packed_.pos == packed_.size) {
        raw_ = pool_.get();
        raw_->size = std::fread(raw_->memory.get(), 1, block_size, in_.get());
        packed_ = {raw_->memory.get(), raw_->size, 0};
        if (packed_.size == 0) {
          if (std::ferror(in_.get()) != 0) return "it cannot be read to its end";
          if (in_frame_) return "it is cut off";
          return any_ ? "" : "it is empty";
        }
        if (file_bytes_) file_bytes_->put(raw_);
      }
      ZSTD_outBuffer out{block.memory.get(), block_size, 0};
      const auto more = ZSTD_decompressStream(zstd_.get(), &out, &packed_);
      if (ZSTD_isError(more) != 0) {
        return any_ && !in_frame_ ? "there are bytes behind its end that do not belong to it"
                                  : fmt::format("it is damaged, or no zstd archive ({})", ZSTD_getErrorName(more));
      }
      any_ = true;
      in_frame_ = more != 0;
      block.size = out.pos;
      if (out.pos > 0) return "";
    }
  }

  Pool pool_{};
  std::unique_ptr<Taker> file_bytes_{};
  std::mutex mutex_{};
  std::condition_variable changed_{};
  std::deque<SharedBlock> ready_{};
  std::string found_{};  ///< the thread's problem
  bool ended_ = false;
  bool given_up_ = false;
  SharedBlock last_{};
  std::uint64_t given_ = 0;
  std::string problem_{};
  // Of the thread.
  File in_{};
  std::unique_ptr<ZSTD_DCtx, std::size_t (*)(ZSTD_DCtx*)> zstd_{ZSTD_createDCtx(), &ZSTD_freeDCtx};
  SharedBlock raw_{};
  ZSTD_inBuffer packed_{nullptr, 0, 0};
  bool in_frame_ = false;
  bool any_ = false;
  std::thread thread_{};
};

}  // namespace

Status unpack(const fs::path& file, const MemberSink& sink, const UnpackLimits& limits, const std::stop_token& stop) {
  Source source(sink.file_bytes);
  if (auto opened = source.open(file); !opened) return opened;
  const auto refuse = [&](const std::string& why) {
    return fail(Fault::validation, fmt::format("{}: {}", file.string(), why),
                "nothing of it was used; fetch the bundle again, or ask whoever made it");
  };
  const std::unique_ptr<archive, int (*)(archive*)> tar(archive_read_new(), &archive_read_free);
  archive_read_support_format_tar(tar.get());
  const auto broken = [&]() {
    if (!source.problem().empty()) return refuse(source.problem());
    const char* said = archive_error_string(tar.get());
    return refuse(fmt::format("it is damaged: {}", said == nullptr ? "unknown reason" : clean_output(said)));
  };
  if (archive_read_open(tar.get(), &source, nullptr, &Source::on_read, nullptr) != ARCHIVE_OK) return broken();

  std::set<std::string> seen;
  std::uint64_t total = 0;
  std::uint64_t count = 0;
  archive_entry* entry = nullptr;
  for (;;) {
    if (stop.stop_requested()) return fail(Fault::cancelled, "interrupted");
    const int next = archive_read_next_header(tar.get(), &entry);
    if (next == ARCHIVE_EOF) break;
    if (next != ARCHIVE_OK) return broken();
    const char* name = archive_entry_pathname(entry);
    std::string path = name == nullptr ? "" : name;
    const auto shown = clean_output(path);
    if (++count > limits.members) return refuse(fmt::format("it has more than {} members", limits.members));
    while (path.starts_with("./")) path.erase(0, 2);
    const auto type = archive_entry_filetype(entry);
    if (type == AE_IFDIR) {
      while (path.ends_with('/')) path.pop_back();
      if (path.empty() || path == "." || is_plain_member(path)) continue;
      return refuse(fmt::format("\"{}\" would lie outside of the bundle", shown));
    }
    if (!is_plain_member(path)) return refuse(fmt::format("\"{}\" would lie outside of the bundle", shown));
    if (archive_entry_hardlink(entry) != nullptr || archive_entry_symlink(entry) != nullptr) {
      return refuse(fmt::format("\"{}\" is a link", shown));
    }
    if (type != AE_IFREG) return refuse(fmt::format("\"{}\" is neither a file nor a folder", shown));
    if (archive_entry_sparse_count(entry) > 0) return refuse(fmt::format("\"{}\" has holes", shown));
    if (!seen.insert(path).second) return refuse(fmt::format("\"{}\" is in it twice", shown));
    const auto size = archive_entry_size(entry);
    if (size < 0 || static_cast<std::uint64_t>(size) > limits.bytes - total) {
      return refuse(fmt::format("\"{}\" makes it larger than {}", shown, human_bytes(limits.bytes)));
    }
    total += static_cast<std::uint64_t>(size);
    if (auto begun = sink.begin(path, static_cast<std::uint64_t>(size)); !begun) return begun;
    std::uint64_t got = 0;
    for (;;) {
      const void* block = nullptr;
      std::size_t length = 0;
      la_int64_t offset = 0;
      const int data = archive_read_data_block(tar.get(), &block, &length, &offset);
      if (data == ARCHIVE_EOF) break;
      if (data != ARCHIVE_OK) return broken();
      if (static_cast<std::uint64_t>(offset) != got || got + length > static_cast<std::uint64_t>(size)) {
        return refuse(fmt::format("\"{}\" has holes", shown));
      }
      got += length;
      if (auto taken = sink.bytes({static_cast<const char*>(block), length}); !taken) return taken;
    }
    if (got != static_cast<std::uint64_t>(size)) return refuse(fmt::format("\"{}\" is cut off", shown));
    if (auto ended = sink.end(); !ended) return ended;
  }
  if (!source.problem().empty()) return refuse(source.problem());
  // A tar ends with zeros. Whatever else follows was put there by somebody.
  std::uint64_t zeros = 0;
  const auto read = static_cast<std::uint64_t>(std::max<la_int64_t>(archive_filter_bytes(tar.get(), 0), 0));
  auto rest = source.unused(read);
  if (rest.empty()) rest = source.next();
  for (; !rest.empty(); rest = source.next()) {
    zeros += rest.size();
    if (zeros > (std::uint64_t{2} << 20U) || std::ranges::any_of(rest, [](char c) { return c != '\0'; })) {
      return refuse("there are bytes behind its end that do not belong to it");
    }
  }
  if (!source.problem().empty()) return refuse(source.problem());
  return {};
}

}  // namespace podwright
