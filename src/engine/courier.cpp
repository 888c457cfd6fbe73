#include "engine/courier.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <span>

#include "base/digest.hpp"
#include "base/files.hpp"
#include "base/shell.hpp"
#include "base/text.hpp"
#include "engine/relays.hpp"
#include "relay/pace.hpp"
#include "relay/wire.hpp"

namespace podwright {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

/// A relay reports four times a second. Silent for so long, it is not asked by others any more…
constexpr milliseconds is_silent{2000};
/// …and this much longer, or once all others are done, it is not waited for.
constexpr milliseconds is_lost{15000};
constexpr milliseconds is_lost_at_the_end{5000};
/// When nobody is heard, it may be us; but not for longer than relays wait for our word.
constexpr milliseconds nobody_is_left = relay::silence + is_lost_at_the_end;
/// Its start: a program of a megabyte and what an earlier transfer left are read.
constexpr milliseconds start_limit{30000};
/// A login among thousands may take its time.
constexpr milliseconds login_limit{120000};
constexpr milliseconds word_every{5000};
/// A node that receives less than half of what its predecessor did, in so many looks in a row, and has
/// fallen a whole look behind, holds up those behind it: they go past it.
constexpr milliseconds look_every{2000};
constexpr int most_slow_looks = 3;
/// How many predecessors a node knows; behind the last of them is the head.
constexpr std::size_t most_peers = 8;
/// Once a quarter of the nodes waits, and at least so many, they begin: the others join when they are there.
constexpr std::size_t share_to_begin = 4;
constexpr std::size_t least_to_begin = 4;
constexpr milliseconds begin_again_after{20};
/// Nobody else got there for so long: those behind whoever is missing go past it.
constexpr milliseconds nobody_comes{2000};
constexpr std::size_t longest_line = 4096;
/// What is sent between two looks at what else there is to say.
constexpr std::uint64_t frame_size = 256U << 10U;

/// Where a relay lies while it is started; it removes itself then.
constexpr std::string_view relay_folder = "/var/lib/podwright";

/// What runs on a node. It says what the node is; the head answers with the size of a program and the program,
/// or with 0; one that cannot run there is answered with `another`. A relay that has everything leaves the rest
/// of the stream to the shell that puts it in its place.
std::string node_script(const Convoy& convoy) {
  auto script = "export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n" + station_script();
  if (!convoy.bare_of.empty()) {
    script += "for path in";
    for (const auto& path : convoy.bare_of) script += " " + sh::quote(path);
    script += " " + sh::quote(convoy.left_over) + "*";
    script += "; do [ ! -e \"$path\" ] || break; path=; done; [ -n \"$path\" ] || echo bare\n";
  }
  script += fmt::format(R"sh(echo hello
umask 077
relay={0}/relay-{1}
while read -r size && [ "$size" -gt 0 ]; do
  [ -d {0} ] || mkdir -p {0}
  head -c "$size" | gzip -dc >"$relay" && chmod 700 "$relay" || {{ rm -f "$relay"; exit 1; }}
  "$relay" --once
  case $? in
  0) {2} ;;
  {3}) exit {3} ;;
  esac
  rm -f "$relay"
  echo another
done
exit 1
)sh",
                        relay_folder, random_hex(8), convoy.place ? "exec sh -s" : "exit 0", relay::unable);
  return script;
}

class Courier;

/// One node of a transfer, and the head's words for it.
class Member : public Feed {
 public:
  Member(Courier& courier, NodeId name) : node(std::move(name)), courier_(courier) {}

  void say(const std::string& line) {
    if (!ending_) words_ += line + "\n";
  }
  void setup(const std::string& bytes) { words_ += bytes; }
  void send_program(std::string_view program) {
    say(std::to_string(program.size()));
    program_ = program;
  }
  void feed_from(std::uint32_t object, std::uint64_t offset) {
    feeding_ = true;
    object_ = object;
    offset_ = offset;
  }
  /// The last word: of the transfer, or `0` for a node that gets no relay. Unless `more` is to be read there.
  void end(const std::string& word, bool more = false) {
    if (ending_) return;
    feeding_ = false;
    say(word);
    ending_ = true;
    closing_ = !more;
  }
  /// For the shell that comes after the relay.
  void run_there(const std::string& script) {
    words_ += script;
    closing_ = true;
  }
  void give_up(Error error) { gave_up_ = std::move(error); }
  [[nodiscard]] bool given() const { return gave_up_.has_value(); }
  /// Nothing is on its way to it.
  [[nodiscard]] bool silent_to() const { return words_.empty() && out_.empty() && program_.empty(); }
  [[nodiscard]] bool settled() const { return ready || over || ending_ || given(); }

  std::string_view next() override;
  bool stirred() override { return out_.empty() && !words_.empty() && program_.empty(); }
  void taken(std::size_t bytes) override;
  bool ended() override { return closing_ && silent_to(); }
  std::optional<Error> given_up() override { return gave_up_; }

  const NodeId node;
  Station station{};
  bool static_relay = false;  ///< the lean one does not run there
  bool connected = false;
  bool greeted = false;  ///< it has said what it is
  bool ready = false;    ///< its relay runs
  std::string cannot{};  ///< why it gets none

  bool planned = false;   ///< it has a place in a chain
  bool left_out = false;  ///< it came later, and is not as it was planned

  // From here on: once it has a place.
  bool takes_part = false;  ///< it was told what its part is
  std::size_t chain = 0;
  std::uint32_t id = 0;
  std::string address{};
  std::vector<std::uint32_t> before{};  ///< nearest first
  std::vector<std::uint32_t> behind{};  ///< those that know it
  bool started = false;
  std::uint64_t port = 0;  ///< at which it serves those behind it
  std::uint64_t received = 0;
  std::uint64_t told = 0;  ///< tenths
  bool done = false;
  bool written = false; ///< to its disk
  bool over = false;    ///< its command has ended
  bool shunned = false; ///< others were told not to ask it
  bool slow = false;    ///< for good
  std::optional<Error> full{};  ///< it has no room
  std::uint64_t seen = 0;   ///< received at the last look
  std::uint64_t peak = 0;   ///< most received between two looks
  int slow_looks = 0;
  std::string complaint{};
  std::string torn{};   ///< a line that is not whole yet
  Clock::time_point heard = Clock::now();
  Clock::time_point spoken = Clock::now();

 private:
  void begin_frame();

  Courier& courier_;
  std::string words_;             ///< to be said
  std::string out_;               ///< being sent; a program's bytes come behind it
  std::size_t out_sent_ = 0;
  std::size_t framed_ = 0;        ///< bytes of a content, at the end of `out_`
  bool counted_ = false;          ///< they are of a file
  std::string_view program_;
  bool feeding_ = false;
  bool ending_ = false;   ///< the last word was said
  bool closing_ = false;  ///< nothing comes behind it
  std::uint32_t object_ = 0;
  std::uint64_t offset_ = 0;
  std::optional<Error> gave_up_;
};

class Courier : public TransportObserver {
 public:
  Courier(Site& site, const Convoy& convoy);
  Arrived run();

  relay::Pace& pace() { return pace_; }
  [[nodiscard]] const Load& load() const { return *load_; }
  void fed(std::uint64_t bytes, bool counted) {
    if (counted) fed_ += bytes;
    pace_.spent(bytes);
  }

  void on_connected(const NodeId& node) override {
    by_node_.at(node)->connected = true;
    by_node_.at(node)->heard = Clock::now();
    site_.events.emit(events::NodeConnected{node});
  }
  void on_output(const NodeId& node, std::string_view bytes) override;
  void on_done(const NodeId& node, const Result<Reply>& reply) override;
  void on_tick() override;

 private:
  void hear(Member& member, std::string_view line);
  void hear_before_setup(Member& member, std::string_view line);
  void greet(Member& member);
  void dismiss(Member& member);
  void call_off();
  void settle(Member& member);
  void launch_when_ready();
  void launch();
  void add_index();
  void line_up(Member& member);
  void board(Member& member);
  void to_the_end(Member& member);
  void leave_out(Member& member);
  [[nodiscard]] bool as_planned(const Member& member) const;
  static void tell(Member& member, const Member& other);
  void shun(Member& member);
  void welcome(Member& member);
  void progress(Member& member);
  void look_for_slow_ones();
  void end_those_not_needed();
  void look_for_hung_ones();
  void begin_phase(std::string phase, std::size_t nodes);
  void end_phase(bool ok);
  [[nodiscard]] Error error_of(const Member& member, const Reply& reply) const;
  [[nodiscard]] bool rest_is_done(const Member& member) const;
  [[nodiscard]] std::string name_of(std::string_view id) const;
  [[nodiscard]] std::string request_of(const Member& member) const;

  Site& site_;
  const Convoy& convoy_;
  std::optional<Load> load_;
  bool indexed_ = false;
  std::uint64_t total_ = 0;
  std::string token_ = random_hex(16);
  std::deque<Member> members_;
  std::map<NodeId, Member*> by_node_;
  std::vector<Member*> crew_;  ///< those that have a place, by their ids
  std::vector<std::vector<Member*>> chains_;
  std::size_t settled_ = 0;
  Clock::time_point tried_{};  ///< to begin without some
  Clock::time_point last_came_{};
  std::size_t arrived_ = 0;
  std::string phase_;
  Clock::time_point phase_begun_;
  relay::Pace pace_;
  Clock::time_point looked_ = Clock::now();
  std::uint64_t fed_ = 0;
  Arrived result_;
};

std::string_view Member::next() {
  if (out_.empty()) {
    if (words_.empty() && !program_.empty()) return program_;
    if (words_.empty() && feeding_) begin_frame();
    else out_ = std::exchange(words_, {});
  }
  const auto left = std::string_view(out_).substr(out_sent_);
  return framed_ == 0 ? left : left.substr(0, static_cast<std::size_t>(courier_.pace().allow(left.size())));
}

void Member::begin_frame() {
  const auto& contents = courier_.load().contents;
  while (object_ < contents.size() && offset_ >= contents[object_].size()) {
    ++object_;
    offset_ = 0;
  }
  if (object_ == contents.size()) {
    feeding_ = false;
    return;
  }
  if (courier_.pace().allow(1) == 0) return;
  const auto& content = contents[object_];
  const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(frame_size, content.size() - offset_));
  // In one piece: a line by itself is a packet that wakes the relay for nothing.
  auto frame = fmt::format("data {} {} {}\n", object_, offset_, size);
  const auto header = frame.size();
  frame.resize(header + size);
  if (auto read = content.read(offset_, std::span(frame).subspan(header)); !read) return give_up(read.error());
  counted_ = content.file != nullptr;
  out_ = std::move(frame);
  framed_ = size;
  offset_ += size;
}

void Member::taken(std::size_t bytes) {
  spoken = Clock::now();
  if (out_.empty()) return program_.remove_prefix(bytes);
  const auto header = out_.size() - framed_;
  const auto known = std::max(out_sent_, header);
  out_sent_ += bytes;
  if (out_sent_ > known) courier_.fed(out_sent_ - known, counted_);
  if (out_sent_ < out_.size()) return;
  out_.clear();
  out_sent_ = 0;
  framed_ = 0;
}

Courier::Courier(Site& site, const Convoy& convoy) : site_(site), convoy_(convoy), pace_(convoy.rate) {
  for (const auto& node : convoy.nodes) by_node_[node] = &members_.emplace_back(*this, node);
}

std::string Courier::request_of(const Member& member) const {
  relay::Setup setup{.token = token_,
                     .listen = member.address,
                     .folder = load_->folder,
                     .prefix = load_->prefix,
                     .chunk = load_->chunk,
                     .rate = convoy_.rate,
                     .deadline = convoy_.deadline,
                     .peers = member.before};
  for (const auto id : member.behind) setup.allowed.push_back(crew_[id]->address);
  for (const auto& content : load_->contents) {
    setup.objects.push_back({.name = content.content, .size = content.size()});
    if (!indexed_ || setup.objects.size() == 1) setup.hashes += content.hashes;
  }
  setup.indexed = indexed_;
  return relay::encode(setup);
}

void Courier::begin_phase(std::string phase, std::size_t nodes) {
  phase_ = std::move(phase);
  phase_begun_ = Clock::now();
  site_.events.emit(events::PhaseStarted{phase_, nodes});
}

void Courier::end_phase(bool ok) {
  site_.events.emit(events::PhaseFinished{phase_, ok, std::chrono::duration_cast<milliseconds>(Clock::now() - phase_begun_)});
}

Arrived Courier::run() {
  begin_phase(convoy_.phase + ": getting ready", members_.size());
  std::vector<Request> requests;
  for (auto& member : members_) {
    member.heard = Clock::now();
    requests.push_back({.node = member.node,
                        .command = "sh -c " + sh::quote(node_script(convoy_)),
                        .feed = &member,
                        .deadline = convoy_.deadline,
                        .max_output = 64U << 10U});
  }
  const auto replies = site_.transport.run(requests, this, site_.stop);
  for (auto& member : members_) {
    const auto& reply = replies.at(member.node);
    if (member.takes_part) result_.received[member.node] = member.received;
    if (member.left_out) {
      result_.left_out.insert(member.node);
    } else if (!reply) {
      auto error = reply.error();
      error.node = member.node;
      (member.ready ? result_.lost : result_.failed).emplace(member.node, std::move(error));
    } else if (member.takes_part && member.written && reply->exit_status == 0) {
      result_.done.insert(member.node);
    } else if (member.full || member.written) {
      auto error = error_of(member, *reply);
      error.node = member.node;
      result_.failed.emplace(member.node, std::move(error));
    } else if (!result_.called_off) {
      site_.events.debug(fmt::format("{}: {}; it is served over SSH", member.node, error_of(member, *reply).what));
    }
  }
  result_.fed = fed_;
  end_phase(result_.called_off || result_.done.size() == members_.size());
  return std::move(result_);
}

/// Why it does not have everything, though its command ended.
Error Courier::error_of(const Member& member, const Reply& reply) const {
  Error error{.fault = Fault::remote, .what = {}};
  const auto said = clean_output(trim(reply.err)).substr(0, 400);
  if (member.full) {
    return *member.full;
  } else if (member.written) {
    return not_placed(reply.err);
  } else if (!member.complaint.empty()) {
    error.what = member.complaint;
  } else if (!member.cannot.empty()) {
    error.what = "it gets no relay: " + member.cannot;
  } else {
    error.what = fmt::format("its relay ended with exit status {}{}", reply.exit_status, said.empty() ? "" : ": " + said);
  }
  return error;
}

void Courier::on_output(const NodeId& node, std::string_view bytes) {
  auto& member = *by_node_.at(node);
  member.heard = Clock::now();
  if (member.shunned && !member.slow && member.started && !member.over) welcome(member);
  while (!bytes.empty()) {
    const auto end = bytes.find('\n');
    member.torn += bytes.substr(0, std::min(end, longest_line));
    if (member.torn.size() > longest_line) member.torn.resize(longest_line);
    if (end == std::string_view::npos) return;
    bytes.remove_prefix(end + 1);
    const auto line = std::exchange(member.torn, {});
    if (member.takes_part) hear(member, line);
    else hear_before_setup(member, line);
  }
}

void Courier::hear_before_setup(Member& member, std::string_view line) {
  if (!member.greeted) {
    if (line == "hello") greet(member);
    else read_station(line, member.station);
  } else if (line == "ready" && !member.ready) {
    member.ready = true;
    last_came_ = Clock::now();
    if (result_.called_off || member.left_out) return dismiss(member);
    if (!load_) return settle(member);
    if (as_planned(member)) board(member);
    else leave_out(member);
  } else if (line == "another" && !member.ready) {
    site_.events.debug(fmt::format("{}: the {} relay does not run there", member.node, member.static_relay ? "static" : "lean"));
    const auto program = relay_program(member.station.machine, RelayKind::static_program);
    if (!std::exchange(member.static_relay, true) && !program.empty() && !result_.called_off) return member.send_program(program);
    member.cannot = "none runs there";
    member.end("0");
    settle(member);
  }
}

/// It has said what it is: it gets its relay.
void Courier::greet(Member& member) {
  member.greeted = true;
  const auto& station = member.station;
  if (!convoy_.bare_of.empty() && !station.bare) call_off();
  if (result_.called_off) return dismiss(member);
  if (load_ && !as_planned(member)) return leave_out(member);
  auto program = relay_program(station.machine, RelayKind::lean_program);
  if (program.empty()) {
    member.static_relay = true;
    program = relay_program(station.machine, RelayKind::static_program);
  }
  if (!station.unpacks) member.cannot = "it has no gzip";
  else if (program.empty()) member.cannot = "there is none for " + station.machine;
  if (member.cannot.empty()) return member.send_program(program);
  member.end("0");
  settle(member);
}

/// Lets it go as soon as it reads what it is told: not amid a program.
void Courier::dismiss(Member& member) {
  if (member.over || !member.greeted) return;
  if (member.ready) member.end("end");
  else if (member.silent_to()) member.end("0");
}

void Courier::call_off() {
  if (load_ || std::exchange(result_.called_off, true)) return;
  for (auto& member : members_) dismiss(member);
}

/// One node less to wait for.
void Courier::settle(Member& member) {
  if (load_ || result_.called_off) return;
  site_.events.emit(events::Progress{phase_, ++settled_, members_.size(), member.node});
  launch_when_ready();
}

void Courier::launch_when_ready() {
  if (load_ || result_.called_off) return;
  if (!std::ranges::all_of(members_, &Member::settled)) {
    if (settled_ < std::max(least_to_begin, members_.size() / share_to_begin) || Clock::now() - tried_ < begin_again_after) return;
    tried_ = Clock::now();
  }
  std::map<NodeId, Station> ready;
  std::set<NodeId> awaited;
  for (const auto& member : members_) {
    if (!member.settled()) awaited.insert(member.node);
    else if (member.ready && !member.over && !member.given()) ready.emplace(member.node, member.station);
  }
  if (ready.empty() && !awaited.empty()) return;
  load_ = convoy_.load(ready, awaited);
  if (load_) launch();
}

void Courier::launch() {
  for (const auto& content : load_->contents) total_ += content.size();
  if (load_->chains.size() < members_.size()) add_index();
  for (const auto& chain : load_->chains) {
    chains_.emplace_back();
    for (const auto& stop : chain) {
      auto& member = *by_node_.at(stop.node);
      member.id = static_cast<std::uint32_t>(crew_.size());
      member.planned = true;
      member.chain = chains_.size() - 1;
      member.address = stop.address;
      crew_.push_back(&member);
      line_up(member);
    }
  }
  end_phase(crew_.size() == members_.size());
  begin_phase(convoy_.phase, crew_.size());
  looked_ = last_came_ = Clock::now();
  for (auto* member : crew_) {
    if (member->ready) board(*member);
  }
  for (auto& member : members_) {
    if (!member.planned && member.ready) dismiss(member);
  }
}

/// The digests of all chunks go along the chains as well: for a thousand nodes they would be a quarter of 200 MB.
void Courier::add_index() {
  Load::Content index{.name = "the digests", .content = {}, .file = nullptr, .hashes = {}};
  for (const auto& content : load_->contents) index.bytes += content.hashes;
  if (index.bytes.empty()) return;
  Sha256 digest;
  for (std::size_t offset = 0; offset < index.bytes.size(); offset += load_->chunk) {
    digest.add(std::string_view(index.bytes).substr(offset, load_->chunk));
    index.hashes += digest.raw();
  }
  index.content = sha256_hex(index.bytes);
  load_->contents.insert(load_->contents.begin(), std::move(index));
  indexed_ = true;
}

/// Behind those that are in its chain.
void Courier::line_up(Member& member) {
  auto& chain = chains_[member.chain];
  for (auto each = chain.rbegin(); each != chain.rend() && member.before.size() < most_peers; ++each) {
    member.before.push_back((*each)->id);
    (*each)->behind.push_back(member.id);
  }
  chain.push_back(&member);
}

/// Its relay waits: it is told its part.
void Courier::board(Member& member) {
  if (member.shunned) to_the_end(member);
  member.takes_part = true;
  member.heard = Clock::now();
  member.address = convoy_.address(member.node, member.station);
  member.setup(request_of(member));
  for (const auto id : member.before) tell(member, *crew_[id]);
}

/// Whether a predecessor of it is to be asked, and where.
void Courier::tell(Member& member, const Member& other) {
  if (!member.takes_part) return;
  if (other.shunned) member.say(fmt::format("gone {}", other.id));
  else if (other.started) member.say(fmt::format("peer {} {} {}", other.id, other.address, other.port));
}

/// Those behind it have gone past it. Between them and whom they receive from it would halve what they get.
void Courier::to_the_end(Member& member) {
  for (const auto id : member.before) std::erase(crew_[id]->behind, member.id);
  member.before.clear();
  member.behind.clear();
  member.shunned = false;
  // Whoever is not there yet comes behind it.
  std::erase_if(chains_[member.chain], [&](const Member* each) { return each == &member || each->over || !each->takes_part; });
  line_up(member);
  for (const auto id : member.before) crew_[id]->say("allow " + member.address);
}

/// Others know it by its address; without neighbours it may have any.
bool Courier::as_planned(const Member& member) const {
  if (!member.planned || (!convoy_.bare_of.empty() && !member.station.bare)) return false;
  return (member.before.empty() && member.behind.empty()) || convoy_.address(member.node, member.station) == member.address;
}

/// What it lacks has to be asked, once the others have everything.
void Courier::leave_out(Member& member) {
  member.left_out = true;
  dismiss(member);
  if (member.planned) shun(member);
}

std::string Courier::name_of(std::string_view id) const {
  std::uint64_t number = 0;
  return relay::parse(id, number) && number < crew_.size() ? crew_[number]->node : "this machine";
}

void Courier::hear(Member& member, std::string_view line) {
  const auto parts = relay::words(line);
  if (parts.empty() || member.written) return;
  const auto& node = member.node;
  const auto rest = clean_output(line.substr(std::min(line.size(), parts[0].size() + 1)));
  std::uint64_t first = 0;
  std::uint64_t second = 0;
  const bool one = parts.size() >= 2 && relay::parse(parts[1], first);
  const bool two = one && parts.size() >= 3 && relay::parse(parts[2], second);
  if (parts[0] == "at" && one) {
    member.received = std::min(first, total_);
    progress(member);
  } else if (parts[0] == "listening" && one && first < 65536) {
    member.started = true;
    member.port = first;
    welcome(member);
  } else if (parts[0] == "need" && two && first <= load_->contents.size()) {
    member.feed_from(static_cast<std::uint32_t>(first), second);
  } else if (parts[0] == "from" && parts.size() == 2) {
    site_.events.debug(fmt::format("{} takes from {}", node, name_of(parts[1])));
  } else if (parts[0] == "bad" && two && parts.size() == 4 && first < load_->contents.size()) {
    site_.events.warn(fmt::format("{}: chunk {} of {} from {} was damaged; it is fetched again from another", node, second,
                                  load_->contents[first].name, name_of(parts[3])));
  } else if (parts[0] == "lost" && one) {
    const auto why = rest.substr(std::min(rest.size(), parts[1].size() + 1));
    site_.events.debug(fmt::format("{} leaves {}: {}", node, name_of(parts[1]), why));
  } else if (parts[0] == "done") {
    if (!std::exchange(member.done, true)) ++arrived_;
    member.received = total_;
    site_.events.emit(events::Progress{phase_, arrived_, crew_.size(), node});
    end_those_not_needed();
  } else if (parts[0] == "written" && member.done) {
    member.written = true;
    // All of it is read before any of it runs, and nothing that runs reads on.
    if (convoy_.place) member.run_there("{ :\n" + convoy_.place(node) + "\n} </dev/null\n");
  } else if (parts[0] == "failed" || (parts[0] == "full" && two)) {
    if (parts[0] == "full") member.full = no_room(load_->folder, first, second);
    else member.complaint = rest.substr(0, 400);
    member.end("end");
    shun(member);
  }
}

/// A node's share in tenths: a line a change, so that one that is slow can be seen.
void Courier::progress(Member& member) {
  if (total_ == 0 || member.done) return;
  const auto now = member.received * 10 / total_;
  if (now <= member.told) return;
  member.told = now;
  site_.events.emit(events::Progress{phase_, arrived_, crew_.size(), fmt::format("{} {} %", member.node, now * 10)});
}

/// Those behind it go to the one before.
void Courier::shun(Member& member) {
  if (std::exchange(member.shunned, true)) return;
  for (const auto id : member.behind) tell(*crew_[id], member);
}

void Courier::welcome(Member& member) {
  member.shunned = false;
  for (const auto id : member.behind) tell(*crew_[id], member);
}

void Courier::on_done(const NodeId& node, const Result<Reply>& reply) {
  auto& member = *by_node_.at(node);
  const bool counted = member.settled();
  member.over = true;
  const bool failed = !reply || (member.takes_part && (!member.written || reply->exit_status != 0));
  if (failed) {
    auto error = reply ? error_of(member, *reply) : reply.error();
    error.node = node;
    site_.events.emit(events::NodeFailed{node, std::move(error)});
  }
  if (member.planned) {
    shun(member);
    end_those_not_needed();
  } else if (!counted) {
    settle(member);
  }
}

/// Those whom nobody needs any more: what a disk has to do then would hold up those behind.
void Courier::end_those_not_needed() {
  const auto settled = [](const Member* each) { return each->done || each->over || each->given(); };
  const bool all = std::ranges::all_of(crew_, settled);
  // Whoever comes late takes from the last ones of its chain.
  if (!all && !std::ranges::all_of(crew_, [&](const Member* each) { return each->takes_part || settled(each); })) return;
  for (auto* member : crew_) {
    if (!all && !(member->done && std::ranges::all_of(member->behind, [&](auto id) { return settled(crew_[id]); }))) continue;
    member->end("end", member->done && convoy_.place);
  }
}

bool Courier::rest_is_done(const Member& member) const {
  return std::ranges::all_of(crew_, [&](const Member* each) { return each == &member || each->done || each->over || !each->started; });
}

void Courier::look_for_slow_ones() {
  for (auto* member : crew_) {
    const auto got = member->received - std::min(member->received, member->seen);
    member->seen = member->received;
    member->peak = std::max(member->peak, got);
    if (!member->started || member->slow || member->done || member->over || member->behind.empty()) continue;
    const auto source = std::ranges::find_if(member->before, [&](std::uint32_t each) { return !crew_[each]->slow && !crew_[each]->over; });
    if (source == member->before.end()) continue;
    const auto& ahead = *crew_[*source];
    const bool behind = ahead.received > member->received && ahead.received - member->received > ahead.peak;
    member->slow_looks = behind && got * 2 < ahead.peak ? member->slow_looks + 1 : 0;
    if (member->slow_looks < most_slow_looks) continue;
    member->slow = true;
    shun(*member);
    site_.events.warn(fmt::format("{} is slow: it receives {} a second and {} {}; those behind it go past it", member->node,
                                  human_bytes(got * 1000 / look_every.count()), ahead.node, human_bytes(ahead.peak * 1000 / look_every.count())));
  }
}

/// One that does not get as far as a relay must not hold up all others.
void Courier::look_for_hung_ones() {
  const auto now = Clock::now();
  for (auto& member : members_) {
    const auto limit = member.connected || member.greeted ? start_limit : login_limit;
    if (member.settled() || now - std::max(member.heard, member.spoken) < limit) continue;
    member.give_up({.fault = Fault::timeout, .what = fmt::format("its relay did not start within {}", human_duration(limit))});
    settle(member);
  }
}

void Courier::on_tick() {
  const auto now = Clock::now();
  for (auto& member : members_) {
    if (!member.ready || member.over || !member.silent_to() || now - member.spoken <= word_every) continue;
    member.say("alive");
    member.spoken = now;
  }
  look_for_hung_ones();
  if (!load_) return launch_when_ready();
  if (now - looked_ >= look_every) {
    looked_ = now;
    look_for_slow_ones();
  }
  const bool deaf = std::ranges::none_of(crew_, [&](const Member* each) { return !each->over && now - each->heard < is_silent; });
  for (auto* member : crew_) {
    // What is put in its place is silent, and has its deadline.
    if (member->over || member->given() || member->written) continue;
    const auto quiet = now - member->heard;
    if (!member->takes_part) {
      if (now - last_came_ > nobody_comes) shun(*member);
      continue;
    }
    if (!member->started) {
      if (quiet > start_limit) member->give_up({.fault = Fault::timeout, .what = fmt::format("its relay did not start within {}", human_duration(start_limit))});
      if (quiet > start_limit / 6) shun(*member);
      continue;
    }
    if (deaf && quiet < nobody_is_left) continue;
    if (quiet > is_silent) shun(*member);
    if (quiet > is_lost || (quiet > is_lost_at_the_end && rest_is_done(*member))) {
      member->give_up({.fault = Fault::unreachable,
                       .what = fmt::format("it said nothing for {} in the midst of the transfer",
                                           human_duration(std::chrono::duration_cast<milliseconds>(quiet))),
                       .hint = "what it has received stays there: the next attempt goes on from it"});
    }
  }
}

}  // namespace

Error no_room(const std::string& folder, std::uint64_t room, std::uint64_t to_come) {
  return {.fault = Fault::remote,
          .what = fmt::format("{} has room for {}, and {} are to come", folder, human_bytes(room), human_bytes(to_come)),
          .hint = "make room on its file system"};
}

Error not_placed(std::string_view said) {
  return {.fault = Fault::remote, .what = "what arrived could not be put in its place: " + clean_output(trim(said)).substr(0, 1000)};
}

Status Load::Content::read(std::uint64_t offset, std::span<char> into) const {
  if (file != nullptr) return file->read(offset, into);
  std::ranges::copy(std::string_view(bytes).substr(offset, into.size()), into.begin());
  return {};
}

Arrived run_convoy(Site& site, const Convoy& convoy) { return Courier(site, convoy).run(); }

}  // namespace podwright
