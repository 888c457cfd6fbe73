#include "engine/courier.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/shell.hpp"
#include "base/text.hpp"
#include "engine/pace.hpp"

namespace podwright {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

/// A relay reports four times a second. Silent for so long, it is not asked by others any more…
constexpr milliseconds is_silent{2000};
/// …and this much longer, or once all others are done, it is not waited for.
constexpr milliseconds is_lost{15000};
constexpr milliseconds is_lost_at_the_end{5000};
/// Its start: a program of a megabyte and what an earlier transfer left are read.
constexpr milliseconds start_limit{30000};
constexpr milliseconds word_every{5000};
/// A node that receives less than half of what its predecessor did, in so many looks in a row, and has
/// fallen a whole look behind, holds up those behind it: they go past it.
constexpr milliseconds look_every{2000};
constexpr int most_slow_looks = 3;
/// How many predecessors a node knows; behind the last of them is the head.
constexpr std::size_t most_peers = 8;
constexpr std::size_t longest_line = 4096;
/// What is sent between two looks at what else there is to say.
constexpr std::uint64_t frame_size = 256U << 10U;

/// Its relay has ended, and everything is on its disk.
bool succeeded(const Result<Reply>& reply) { return reply && reply->exit_status == 0; }

class Courier;

/// One node of a transfer, and the head's words for it.
class Member : public Feed {
 public:
  Member(Courier& courier, const Convoy& convoy, const Convoy::Stop& where, std::uint32_t number)
      : stop(where), id(number), courier_(courier), convoy_(convoy) {}

  void say(const std::string& line) { words_ += line + "\n"; }
  void feed_from(std::uint32_t object, std::uint64_t offset) {
    feeding_ = true;
    object_ = object;
    offset_ = offset;
  }
  void end() {
    if (ending_) return;
    ending_ = true;
    feeding_ = false;
    say("end");
  }
  void give_up(Error error) { gave_up_ = std::move(error); }
  [[nodiscard]] bool given() const { return gave_up_.has_value(); }
  /// Nothing is on its way to it.
  [[nodiscard]] bool silent_to() const { return words_.empty() && out_.empty() && frame_left_ == 0; }

  std::string_view next() override;
  void taken(std::size_t bytes) override;
  bool ended() override { return ending_ && silent_to(); }
  std::optional<Error> given_up() override { return gave_up_; }

  const Convoy::Stop& stop;
  const std::uint32_t id;
  std::vector<std::uint32_t> before{};  ///< nearest first
  std::vector<std::uint32_t> behind{};  ///< those that know it
  bool started = false;
  std::uint64_t port = 0;  ///< at which it serves those behind it
  std::uint64_t received = 0;
  std::uint64_t told = 0;  ///< tenths
  bool done = false;
  bool over = false;    ///< its relay has ended
  bool shunned = false; ///< others were told not to ask it
  bool slow = false;    ///< for good
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
  const Convoy& convoy_;
  std::string words_;             ///< to be said
  std::string out_;               ///< being sent; a frame's bytes come behind it
  std::uint64_t frame_left_ = 0;
  bool feeding_ = false;
  bool ending_ = false;
  std::uint32_t object_ = 0;
  std::uint64_t offset_ = 0;
  std::optional<Error> gave_up_;
};

class Courier : public TransportObserver {
 public:
  Courier(Site& site, const Convoy& convoy);
  Arrived run();

  Pace& pace() { return pace_; }
  void fed(std::uint64_t bytes) {
    fed_ += bytes;
    pace_.spent(bytes);
  }

  void on_connected(const NodeId& node) override { site_.events.emit(events::NodeConnected{node}); }
  void on_output(const NodeId& node, std::string_view bytes) override;
  void on_done(const NodeId& node, const Result<Reply>& reply) override;
  void on_tick() override;

 private:
  void hear(Member& member, std::string_view line);
  void shun(Member& member);
  void welcome(Member& member);
  void progress(Member& member);
  void look_for_slow_ones();
  void end_when_all_is_done();
  [[nodiscard]] bool rest_is_done(const Member& member) const;
  [[nodiscard]] std::string name_of(std::string_view id) const;
  [[nodiscard]] std::string request_of(const Member& member) const;

  Site& site_;
  const Convoy& convoy_;
  std::uint64_t total_ = 0;
  std::string token_ = random_hex(16);
  std::deque<Member> members_;
  std::map<NodeId, Member*> by_node_;
  std::size_t arrived_ = 0;
  Pace pace_;
  Clock::time_point looked_ = Clock::now();
  std::uint64_t fed_ = 0;
  Arrived result_;
};

std::string_view Member::next() {
  if (!out_.empty()) return out_;
  if (frame_left_ > 0) {
    const auto allowed = courier_.pace().allow(frame_left_);
    return convoy_.contents[object_].bytes.substr(static_cast<std::size_t>(offset_), static_cast<std::size_t>(allowed));
  }
  if (words_.empty() && feeding_) begin_frame();
  out_ = std::exchange(words_, {});
  return out_;
}

void Member::begin_frame() {
  while (object_ < convoy_.contents.size() && offset_ >= convoy_.contents[object_].bytes.size()) {
    ++object_;
    offset_ = 0;
  }
  if (object_ == convoy_.contents.size()) {
    feeding_ = false;
    return;
  }
  if (courier_.pace().allow(1) == 0) return;
  frame_left_ = std::min<std::uint64_t>(frame_size, convoy_.contents[object_].bytes.size() - offset_);
  say(fmt::format("data {} {} {}", object_, offset_, frame_left_));
}

void Member::taken(std::size_t bytes) {
  spoken = Clock::now();
  if (!out_.empty()) {
    out_.erase(0, bytes);
    return;
  }
  frame_left_ -= bytes;
  offset_ += bytes;
  courier_.fed(bytes);
}

Courier::Courier(Site& site, const Convoy& convoy) : site_(site), convoy_(convoy), pace_(convoy.rate) {
  for (const auto& content : convoy.contents) total_ += content.bytes.size();
  for (const auto& chain : convoy.chains) {
    std::vector<std::uint32_t> earlier;
    for (const auto& stop : chain) {
      const auto id = static_cast<std::uint32_t>(members_.size());
      auto& member = members_.emplace_back(*this, convoy, stop, id);
      for (auto each = earlier.rbegin(); each != earlier.rend() && member.before.size() < most_peers; ++each) {
        member.before.push_back(*each);
        members_[*each].behind.push_back(id);
      }
      earlier.push_back(id);
      by_node_[stop.node] = &member;
    }
  }
}

std::string Courier::request_of(const Member& member) const {
  relay::Setup setup{.token = token_,
                     .listen = member.stop.address,
                     .folder = convoy_.folder,
                     .chunk = convoy_.chunk,
                     .rate = convoy_.rate,
                     .deadline = convoy_.deadline,
                     .peers = member.before};
  for (const auto id : member.behind) setup.allowed.push_back(members_[id].stop.address);
  for (const auto& content : convoy_.contents) {
    setup.objects.push_back({.sha256 = content.sha256, .size = content.bytes.size()});
    setup.hashes += content.hashes;
  }
  return relay::encode(setup);
}

Arrived Courier::run() {
  site_.events.emit(events::PhaseStarted{convoy_.phase, members_.size()});
  const auto begun = Clock::now();
  std::vector<Request> requests;
  for (auto& member : members_) {
    member.heard = begun;
    requests.push_back({.node = member.stop.node,
                        .command = "exec " + sh::quote(member.stop.program) + " --once",
                        .input = request_of(member),
                        .feed = &member,
                        .deadline = convoy_.deadline,
                        .max_output = 64U << 10U});
  }
  const auto replies = site_.transport.run(requests, this, site_.stop);
  for (auto& member : members_) {
    result_.received[member.stop.node] = member.received;
    const auto& reply = replies.at(member.stop.node);
    if (member.done && succeeded(reply)) continue;
    Error error;
    if (!member.complaint.empty()) {
      error = {.fault = Fault::remote, .what = member.complaint};
    } else if (reply) {
      const auto said = clean_output(trim(reply->err));
      error = {.fault = Fault::remote,
               .what = fmt::format("its relay ended with exit status {}{}", reply->exit_status,
                                   said.empty() ? "" : ": " + said.substr(0, 200))};
    } else {
      error = reply.error();
    }
    if (reply) result_.unable.push_back(member.stop.node);
    error.node = member.stop.node;
    result_.failed.emplace(member.stop.node, std::move(error));
  }
  result_.fed = fed_;
  site_.events.emit(events::PhaseFinished{convoy_.phase, result_.failed.empty(),
                                          std::chrono::duration_cast<milliseconds>(Clock::now() - begun)});
  return std::move(result_);
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
    hear(member, std::exchange(member.torn, {}));
  }
}

std::string Courier::name_of(std::string_view id) const {
  std::uint64_t number = 0;
  return relay::parse(id, number) && number < members_.size() ? members_[number].stop.node : "this machine";
}

void Courier::hear(Member& member, std::string_view line) {
  const auto parts = relay::words(line);
  if (parts.empty()) return;
  const auto& node = member.stop.node;
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
  } else if (parts[0] == "need" && two && first <= convoy_.contents.size()) {
    member.feed_from(static_cast<std::uint32_t>(first), second);
  } else if (parts[0] == "from" && parts.size() == 2) {
    site_.events.debug(fmt::format("{} takes from {}", node, name_of(parts[1])));
  } else if (parts[0] == "bad" && two && parts.size() == 4 && first < convoy_.contents.size()) {
    site_.events.warn(fmt::format("{}: chunk {} of {} from {} was damaged; it is fetched again from another", node, second,
                                  convoy_.contents[first].name, name_of(parts[3])));
  } else if (parts[0] == "lost" && one) {
    const auto why = rest.substr(std::min(rest.size(), parts[1].size() + 1));
    site_.events.debug(fmt::format("{} leaves {}: {}", node, name_of(parts[1]), why));
  } else if (parts[0] == "done") {
    if (!std::exchange(member.done, true)) ++arrived_;
    member.received = total_;
    site_.events.emit(events::Progress{convoy_.phase, arrived_, members_.size(), node});
    end_when_all_is_done();
  } else if (parts[0] == "failed") {
    member.complaint = rest.substr(0, 400);
    member.end();
    shun(member);
  }
}

/// A node's share in tenths: a line a change, so that one that is slow can be seen.
void Courier::progress(Member& member) {
  if (total_ == 0 || member.done) return;
  const auto now = member.received * 10 / total_;
  if (now <= member.told) return;
  member.told = now;
  site_.events.emit(events::Progress{convoy_.phase, arrived_, members_.size(), fmt::format("{} {} %", member.stop.node, now * 10)});
}

/// Those behind it go to the one before.
void Courier::shun(Member& member) {
  if (std::exchange(member.shunned, true)) return;
  for (const auto id : member.behind) members_[id].say(fmt::format("gone {}", member.id));
}

void Courier::welcome(Member& member) {
  member.shunned = false;
  for (const auto id : member.behind) members_[id].say(fmt::format("peer {} {} {}", member.id, member.stop.address, member.port));
}

void Courier::on_done(const NodeId& node, const Result<Reply>& reply) {
  auto& member = *by_node_.at(node);
  member.over = true;
  shun(member);
  if (!member.done || !succeeded(reply)) {
    Error error = reply ? Error{.fault = Fault::remote, .what = member.complaint.empty() ? "its relay ended" : member.complaint} : reply.error();
    error.node = node;
    site_.events.emit(events::NodeFailed{node, std::move(error)});
  }
  end_when_all_is_done();
}

void Courier::end_when_all_is_done() {
  if (!std::ranges::all_of(members_, [](const Member& each) { return each.done || each.over || each.given(); })) return;
  for (auto& member : members_) member.end();
}

bool Courier::rest_is_done(const Member& member) const {
  return std::ranges::all_of(members_, [&](const Member& each) { return &each == &member || each.done || each.over || !each.started; });
}

void Courier::look_for_slow_ones() {
  for (auto& member : members_) {
    const auto got = member.received - std::min(member.received, member.seen);
    member.seen = member.received;
    member.peak = std::max(member.peak, got);
    if (member.slow || member.done || member.over || member.behind.empty()) continue;
    const auto source = std::ranges::find_if(member.before, [&](std::uint32_t each) { return !members_[each].slow && !members_[each].over; });
    if (source == member.before.end()) continue;
    const auto& ahead = members_[*source];
    const bool behind = ahead.received > member.received && ahead.received - member.received > ahead.peak;
    member.slow_looks = behind && got * 2 < ahead.peak ? member.slow_looks + 1 : 0;
    if (member.slow_looks < most_slow_looks) continue;
    member.slow = true;
    shun(member);
    site_.events.warn(fmt::format("{} is slow: it receives {} a second and {} {}; those behind it go past it", member.stop.node,
                                  human_bytes(got * 1000 / look_every.count()), ahead.stop.node, human_bytes(ahead.peak * 1000 / look_every.count())));
  }
}

void Courier::on_tick() {
  const auto now = Clock::now();
  if (now - looked_ >= look_every) {
    looked_ = now;
    look_for_slow_ones();
  }
  // When nobody is heard, it is us.
  const bool deaf = std::ranges::none_of(members_, [&](const Member& each) { return !each.over && now - each.heard < is_silent; });
  for (auto& member : members_) {
    if (member.over || member.given()) continue;
    if (member.silent_to() && now - member.spoken > word_every) {
      member.say("alive");
      member.spoken = now;
    }
    const auto quiet = now - member.heard;
    if (!member.started) {
      if (quiet > start_limit) member.give_up({.fault = Fault::timeout, .what = fmt::format("its relay did not start within {}", human_duration(start_limit))});
      if (quiet > start_limit / 6) shun(member);
      continue;
    }
    if (deaf) continue;
    if (quiet > is_silent) shun(member);
    if (quiet > is_lost || (quiet > is_lost_at_the_end && rest_is_done(member))) {
      member.give_up({.fault = Fault::unreachable,
                      .what = fmt::format("it said nothing for {} in the midst of the transfer",
                                          human_duration(std::chrono::duration_cast<milliseconds>(quiet))),
                      .hint = "what it has received stays there: the next attempt goes on from it"});
    }
  }
}

}  // namespace

Arrived run_convoy(Site& site, const Convoy& convoy) { return Courier(site, convoy).run(); }

}  // namespace podwright
