#include "bundle/packed.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <future>
#include <memory>
#include <optional>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "base/digest.hpp"
#include "base/open_file.hpp"
#include "base/text.hpp"
#include "bundle/blocks.hpp"

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
constexpr std::uint64_t write_behind = 16U << 20U;
/// A disk that caches what it is given empties its cache only when it is asked: so often, beside the rest.
constexpr std::uint64_t flush_behind = 128U << 20U;

/// Writes and digests beside each other and beside the compressor, so that none waits for another.
class Writer {
 public:
  Writer(OpenFile file, BlockPool& pool) : file_(std::move(file)), pool_(pool) {}

  /// Room for the next bytes, and how many were put there.
  std::span<char> room() { return std::span(gathered_->memory.get(), block_size).subspan(gathered_->size); }
  void filled(std::size_t bytes) {
    gathered_->size += bytes;
    if (gathered_->size == block_size) hand_over();
  }
  /// Whether all of it is on the disk.
  bool finish() {
    hand_over();
    writing_.finish();
    digesting_.finish();
    end_flush();
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
    if (written_ - flushed_ < flush_behind || (flushing_.valid() && flushing_.wait_for(std::chrono::seconds(0)) != std::future_status::ready)) return;
    end_flush();
    flushing_ = std::async(std::launch::async, [file = ::fileno(file_.get())] { return ::fdatasync(file) == 0; });
    flushed_ = written_;
  }
  /// The kernel tells of a lost byte once: not to the next fsync again.
  void end_flush() {
    if (flushing_.valid() && !flushing_.get()) failed_ = true;
  }

  OpenFile file_;
  BlockPool& pool_;
  SharedBlock gathered_ = pool_.get();
  // Of the threads, until they have ended.
  bool failed_ = false;
  std::uint64_t written_ = 0;
  std::uint64_t begun_ = 0;    ///< so much the disk was told to write
  std::uint64_t flushed_ = 0;  ///< and so much to have for good
  std::future<bool> flushing_{};
  Sha256 digest_{};
  BlockTaker writing_{[this](std::string_view bytes) { write(bytes); }};
  BlockTaker digesting_{[this](std::string_view bytes) { digest_.add(bytes); }};
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

struct Packer::Impl {
  fs::path file;
  fs::path temporary;
  BlockPool pool{};
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
  OpenFile out(std::fopen(impl.temporary.c_str(), "wbe"));
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
  const OpenFile in(std::fopen(source.c_str(), "rbe"));
  if (!in) return fail(Fault::internal, source.string() + " cannot be read");
  if (!impl_->compress_at(shrinks(in.get(), size) ? compression_level : passing_level)) return impl_->failure();
  if (auto headed = impl_->header(path, size); !headed) return headed;
  Sha256 digest;
  std::uint64_t total = 0;
  {
    std::optional<BlockTaker> digesting;
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

}  // namespace podwright
