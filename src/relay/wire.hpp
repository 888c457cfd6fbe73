/// What the head and its relays say to each other over SSH: lines, and bytes where a line announces
/// them. Relays are started with nothing but this stream, so no secret is in an argument.
///
/// The relay says `ready` as soon as it runs: what it is to do may not be known yet.
/// The head says, once, what a Setup holds, then as things happen:
///   peer ID ADDRESS PORT   this predecessor serves now
///   gone ID                this predecessor is not to be asked (any more)
///   allow ADDRESS          who comes from there may ask as well
///   data OBJECT OFFSET N   N bytes follow
///   alive                  nothing new; without a word for `silence` the relay ends (before the Setup, too)
///   end                    the transfer is over: what was received is written to the disk, then it ends. It reads
///                          nothing that comes behind this line (instead of a Setup: it is not needed)
/// The relay says:
///   listening PORT         it has begun, and can be asked; 0: nobody is behind it, so that it does not listen
///   from ID|head           where it takes from now
///   need OBJECT OFFSET     no predecessor is left: the head is to feed it from here
///   at BYTES               of what it lacked, this much was received and proven; also its heartbeat
///   bad OBJECT CHUNK ID|head   a chunk was refused, and is fetched again
///   lost ID WHY            a predecessor does not serve
///   done                   it has everything; it goes on serving
///   written                it was told to end, and everything is on its disk
///   full FREE NEEDED       there is not room enough, in bytes; it cannot go on
///   failed WHY             it cannot go on
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace podwright::relay {

inline constexpr std::size_t digest_size = 32;
/// A file system keeps so much besides what is to come.
inline constexpr std::uint64_t room_to_spare = 16U << 20U;
/// The exit status of a relay that ran, and does not have everything on its disk.
inline constexpr int unable = 3;
/// A relay whose head says nothing for so long takes it for dead.
inline constexpr std::chrono::seconds silence{30};
/// How often a relay says where it is.
inline constexpr std::chrono::milliseconds report_every{250};

/// A file of the transfer, named by its content.
struct Object {
  std::string name;  ///< on disk: 64 hex digits, a digest of its content
  std::uint64_t size = 0;
  bool have = false;  ///< it is there, whole and proven
};

struct Setup {
  std::string token;       ///< of this transfer
  std::string listen;      ///< the address to serve on
  std::string folder;      ///< where the objects lie
  std::string prefix{};    ///< what their names begin with
  std::uint64_t chunk = 0; ///< bytes that are proven at once
  std::uint64_t rate = 0;  ///< bytes a second to be sent at most; 0: no limit
  std::chrono::seconds deadline{3600};    ///< after this it ends by itself
  std::vector<std::string> allowed{};     ///< addresses that may ask
  std::vector<Object> objects{};          ///< in the order in which they are fetched
  std::string hashes{};                   ///< of all chunks of all objects, SHA-256 as 32 bytes each; or, where…
  bool indexed = false;                   ///< …the first object is those of all others, of the first one alone
  std::vector<std::uint32_t> peers{};     ///< predecessors, nearest first; none serves yet
};

std::string encode(const Setup& setup);

/// Takes the stream apart: setup, then lines and data.
class Decoder {
 public:
  virtual ~Decoder() = default;
  /// False when the stream is not what it should be; it is of no use then.
  bool feed(std::string_view bytes);

 protected:
  virtual void on_setup(Setup setup) = 0;
  virtual void on_line(std::string_view line) = 0;
  virtual void on_data(std::uint32_t object, std::uint64_t offset, std::string_view bytes) = 0;

 private:
  bool on_whole_line(std::string_view line);
  bool on_setup_line(std::string_view line);

  std::string line_;
  Setup setup_;
  bool ready_ = false;
  bool reading_hashes_ = false;
  std::uint64_t raw_left_ = 0;
  std::uint32_t object_ = 0;
  std::uint64_t offset_ = 0;
};

/// How many chunks an object has.
std::uint64_t chunk_count(std::uint64_t size, std::uint64_t chunk);

/// The words of a line.
std::vector<std::string_view> words(std::string_view line);
/// A whole number, all of the word; false otherwise.
bool parse(std::string_view word, std::uint64_t& into);

/// "0-4,7": the numbers, ascending, as a list of ranges; and back. Nothing but such a list is parsed,
/// and no number of `limit` or more.
std::string ranges(const std::vector<std::uint32_t>& numbers);
bool parse_ranges(std::string_view text, std::uint32_t limit, std::vector<std::uint32_t>& into);

/// Equal, in a time that does not tell how much of it is.
bool same_secret(std::string_view a, std::string_view b);

}  // namespace podwright::relay
