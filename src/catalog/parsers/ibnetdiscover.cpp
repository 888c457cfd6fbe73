// ibnetdiscover. Plain: a block for each switch and adapter, its ports below it. With -p: one line a port.
// Traps: aggregation nodes of the switches (SHARP) look like adapters; unwired ports have no other end.
#include "catalog/parsers/ibnetdiscover.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/json.hpp"
#include "base/text.hpp"
#include "catalog/parsers/tool_lines.hpp"
#include "catalog/registry.hpp"

namespace podwright::parsing {

namespace {

constexpr std::string_view tool = "ibnetdiscover";

std::string guid_of(std::string_view text) {
  if (text.starts_with("0x")) text.remove_prefix(2);
  std::string guid(text);
  if (guid.size() < 16) guid.insert(0, 16 - guid.size(), '0');
  return guid;
}

bool is_hex(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
}

/// "S-0ff08c43213b3f30": what it is, and its GUID.
bool is_node(std::string_view text) { return text.size() > 2 && text[1] == '-' && is_hex(text.substr(2)); }

/// What stands between the first and the second of `quote`, from `at` on; moves `at` behind it.
std::optional<std::string_view> quoted(std::string_view text, std::size_t& at, char quote) {
  const auto begin = text.find(quote, at);
  if (begin == std::string_view::npos) return std::nullopt;
  const auto end = text.find(quote, begin + 1);
  if (end == std::string_view::npos) return std::nullopt;
  at = end + 1;
  return text.substr(begin + 1, end - begin - 1);
}

std::string_view type_of(char letter) { return letter == 'S' ? "SW" : letter == 'R' ? "RT" : "CA"; }

class Reader {
 public:
  Result<std::vector<IbLink>> read(std::string_view text) {
    for (const auto& line : numbered_lines(text)) {
      if (auto done = take(line); !done) return fail(done.error());
    }
    if (links_.empty() && !ports_) return nothing_found(tool, "port", text);
    return std::move(links_);
  }

 private:
  Status take(const Line& line) {
    const auto& text = line.text;
    if (text.starts_with("Switch\t") || text.starts_with("Switch ")) return begin(line, "SW");
    if (text.starts_with("Ca\t") || text.starts_with("Ca ")) return begin(line, "CA");
    if (text.starts_with("Rt\t") || text.starts_with("Rt ")) return begin(line, "RT");
    if (text.starts_with('[')) return take_port(line);
    if (text.starts_with("CA ") || text.starts_with("SW ") || text.starts_with("RT ")) return take_flat(line);
    return {};
  }

  /// Switch  41 "S-0ff08c43213b3f30"  # "MF0;leaf01:MQM8700/U1" enhanced port 0 lid 387 lmc 0
  Status begin(const Line& line, std::string_view type) {
    std::size_t at = 0;
    const auto guid = quoted(line.text, at, '"');
    const auto name = quoted(line.text, at, '"');
    if (!guid || !is_node(*guid) || !name) return unreadable(tool, line, "a node without its GUID or its name");
    here_ = IbEnd{.type = std::string(type), .guid = guid_of(guid->substr(2)), .name = std::string(*name)};
    return {};
  }

  /// [1]  "H-0ff08c4321664e96"[1](ff08c4321664e96)  # "cu01 mlx5_0" lid 1181 4xHDR s=4 w=2 v=4 e=4
  Status take_port(const Line& line) {
    if (!here_) return unreadable(tool, line, "a port without the node before it");
    std::size_t at = 0;
    const auto close = line.text.find(']');
    const auto port = to_int(line.text.substr(1, close - 1));
    const auto guid = quoted(line.text, at, '"');
    if (close == std::string_view::npos || !port || !guid || !is_node(*guid)) {
      return unreadable(tool, line, "a port without number or without its other end");
    }
    const auto bracket = line.text.find('[', at);
    const auto far = bracket == at ? to_int(line.text.substr(at + 1, line.text.find(']', at) - at - 1))
                                   : std::nullopt;
    const auto name = quoted(line.text, at, '"');
    if (!far || !name) return unreadable(tool, line, "the other end has no port or no name");
    std::string rate;
    for (const auto word : words(line.text.substr(at))) {
      if (word.find('x') != std::string_view::npos && to_int(word.substr(0, word.find('x')))) rate = word;
    }
    ++ports_;
    auto& link = links_.emplace_back();
    link.a = *here_;
    link.a.port = static_cast<int>(*port);
    link.b = {.type = std::string(type_of((*guid)[0])),
              .guid = guid_of(guid->substr(2)),
              .port = static_cast<int>(*far),
              .name = std::string(*name)};
    link.rate = std::move(rate);
    return {};
  }

  /// CA 134 1 0x7cfe9003003b4bde 4x EDR - SW 1719 10 0x7cfe9003009ce5b0 ( 'cu01 HCA-1' - 'leaf01' )
  Status take_flat(const Line& line) {
    const auto cells = words(line.text);
    if (cells.size() < 6) return unreadable(tool, line, "the line of a port is too short");
    const auto end = [&](std::size_t from) -> std::optional<IbEnd> {
      if (from + 3 >= cells.size()) return std::nullopt;
      const auto port = to_int(cells[from + 2]);
      if (!to_int(cells[from + 1]) || !port || !cells[from + 3].starts_with("0x") || !is_hex(cells[from + 3].substr(2))) return std::nullopt;
      return IbEnd{.type = std::string(cells[from]),
                   .guid = guid_of(cells[from + 3]),
                   .port = static_cast<int>(*port),
                   .name = {}};
    };
    auto a = end(0);
    if (!a) return unreadable(tool, line, "the port has no number or no GUID");
    ++ports_;
    if (cells.size() < 8 || cells[6] != "-") return {};  // nothing at the other end
    auto b = end(7);
    std::size_t at = line.text.find('(');
    if (!b || at == std::string_view::npos) return unreadable(tool, line, "the other end cannot be read");
    const auto names = trim(line.text.substr(at + 1));
    const auto middle = names.find("' - '");
    if (!names.starts_with('\'') || middle == std::string_view::npos) {
      return unreadable(tool, line, "the names of both ends are missing");
    }
    const auto last = names.rfind('\'');
    a->name = names.substr(1, middle - 1);
    b->name = names.substr(middle + 5, last > middle + 5 ? last - middle - 5 : 0);
    links_.push_back({.a = std::move(*a), .b = std::move(*b), .rate = fmt::format("{} {}", cells[4], cells[5])});
    return {};
  }

  std::vector<IbLink> links_;
  std::optional<IbEnd> here_;
  std::size_t ports_ = 0;
};

Json end_of(const IbEnd& end) {
  return {{"type", end.type}, {"guid", end.guid}, {"port", end.port}, {"name", end.name}};
}

Result<Json> parse(std::string_view text) {
  const auto links = read_ibnetdiscover(text);
  if (!links) return fail(links.error());
  Json all = Json::array();
  for (const auto& link : *links) {
    all.push_back({{"a", end_of(link.a)}, {"b", end_of(link.b)}, {"rate", link.rate}});
  }
  return Json{{"links", std::move(all)}};
}

const Registered ibnetdiscover{
    Parser{.kind = "ibnetdiscover", .summary = "who is wired to which InfiniBand switch", .command = "ibnetdiscover; ibnetdiscover -p", .parse = parse}};

}  // namespace

Result<std::vector<IbLink>> read_ibnetdiscover(std::string_view text) { return Reader().read(text); }

}  // namespace podwright::parsing
