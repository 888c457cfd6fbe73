/// The objects of a transfer on a node's disk: what arrives is proven chunk by chunk before it counts,
/// is written, or is handed on.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "relay/wire.hpp"

namespace podwright::relay {

/// A place in the objects: behind the last one, `object` is their number.
struct Position {
  std::uint32_t object = 0;
  std::uint64_t offset = 0;
  friend auto operator<=>(const Position&, const Position&) = default;  // NOLINT(modernize-use-nullptr): clang-tidy 14 means the 0 that the compiler compares with
};

class Store {
 public:
  /// `working` is called now and then while what is there is read, which may take minutes.
  Store(const Setup& setup, std::function<void()> working);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  /// Makes the folder, and takes up what an earlier transfer left of an object, as far as its chunks
  /// are right; waits some seconds for one that still writes there. False: problem() says why nothing can be stored.
  bool open();

  /// The next byte that is wanted; bytes of a chunk that is not complete count.
  [[nodiscard]] Position wanted() const;
  [[nodiscard]] bool complete() const { return current_ == setup_.objects.size(); }
  /// Where the next bytes belong, up to the end of their chunk: written to directly.
  std::span<char> room();

  enum class Accepted { ok, bad_chunk, disk };
  /// `bytes` of room() were filled. A chunk that is complete is proven and written. A bad one is
  /// forgotten, and wanted again from its beginning.
  Accepted commit(std::size_t bytes);
  /// The chunk that was found bad last.
  [[nodiscard]] std::uint64_t bad_chunk() const { return bad_chunk_; }

  /// An earlier transfer left something of it.
  [[nodiscard]] bool has_part(std::uint32_t object) const;
  /// How far an object is proven.
  [[nodiscard]] std::uint64_t proven(std::uint32_t object) const;
  /// Everything before it is proven.
  [[nodiscard]] Position proven() const;
  /// Of what was lacking at first, in bytes; without an index.
  [[nodiscard]] std::uint64_t proven_bytes() const { return proven_bytes_; }

  /// An object's file, to be read as far as it is proven; good until the next call. -1: it cannot be read
  /// any more.
  int file(std::uint32_t object);

  /// What the disk has to write for good once everything is there: one file after the other, or, where those
  /// are many, all that its file system holds back.
  struct Unwritten {
    std::string folder;
    std::vector<std::string> files;
  };
  [[nodiscard]] Unwritten unwritten() const;
  /// Has the disk write it: may take long, and touches no Store.
  static bool sync(const Unwritten& what);

  [[nodiscard]] const std::string& problem() const { return problem_; }
  /// Why open() failed, where it is room: what is free, and what is needed, in bytes.
  struct Lack {
    std::uint64_t free = 0;
    std::uint64_t needed = 0;
  };
  [[nodiscard]] std::optional<Lack> lack() const { return lack_; }
  [[nodiscard]] const std::vector<Object>& objects() const { return setup_.objects; }

 private:
  void share_folder();
  bool look_for_room();
  bool open_part(const std::string& name);
  bool take_up();
  bool begin_object();
  bool finish_object();
  bool finish_index();
  /// The digests of all other objects: in memory alone, nobody wants to find them afterwards.
  [[nodiscard]] bool is_index(std::uint32_t object) const { return setup_.indexed && object == 0; }
  void leave_memory();
  bool fail(const std::string& what);
  [[nodiscard]] bool right(std::uint32_t object, std::uint64_t chunk, std::string_view bytes) const;
  [[nodiscard]] std::uint64_t chunk_size(std::uint32_t object, std::uint64_t chunk) const;
  [[nodiscard]] std::string path(std::uint32_t object) const;

  const Setup& setup_;
  std::function<void()> working_;
  std::vector<std::uint64_t> first_chunk_;  ///< of each object, in the hashes
  std::string hashes_;                      ///< as far as they are known
  std::uint32_t current_ = 0;               ///< the object that is being received
  std::uint64_t proven_ = 0;                ///< of the current object
  std::uint64_t proven_bytes_ = 0;
  std::string pending_;                     ///< the chunk that is being received
  std::size_t filled_ = 0;
  std::uint64_t bad_chunk_ = 0;
  int folder_ = -1;                         ///< locked as long as this lives
  int index_ = -1;                          ///< once it is whole
  int part_ = -1;                           ///< the current object's file, locked
  std::uint64_t left_ = 0;                  ///< of the current object, is not to stay in memory
  int reading_ = -1;                        ///< the file that was read last
  std::uint32_t reading_object_ = 0;
  std::string problem_;
  std::optional<Lack> lack_;
};

}  // namespace podwright::relay
