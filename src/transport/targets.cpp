#include "transport/targets.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <optional>

#include "base/text.hpp"
#include "config/nodeset.hpp"

namespace podwright {

namespace {

tl::unexpected<Error> bad(std::string_view text, std::string why) {
  return fail(
      Fault::usage, fmt::format("\"{}\": {}", text, why),
      "write a network (10.0.0.0/24), a range (10.0.0.1-20, 10.0.0.[1-20]), an address or a "
      "host name");
}

tl::unexpected<Error> too_many(std::string_view text, const std::string& count, std::size_t limit) {
  return fail(Fault::usage, fmt::format("\"{}\" is {} addresses, more than {}", text, count, limit),
              "name a smaller network, or several of them");
}

std::optional<std::uint32_t> ipv4(std::string_view text) {
  in_addr address{};
  if (inet_pton(AF_INET, std::string(text).c_str(), &address) != 1) return std::nullopt;
  return ntohl(address.s_addr);
}

std::string ipv4_text(std::uint32_t number) {
  return fmt::format("{}.{}.{}.{}", number >> 24U, (number >> 16U) & 255U, (number >> 8U) & 255U,
                     number & 255U);
}

using Bytes = std::array<std::uint8_t, 16>;

std::optional<Bytes> ipv6(std::string_view text) {
  Bytes bytes{};
  if (inet_pton(AF_INET6, std::string(text).c_str(), bytes.data()) != 1) return std::nullopt;
  return bytes;
}

Result<std::vector<std::string>> span_of(std::string_view text, std::uint32_t first,
                                         std::uint32_t last, std::size_t limit) {
  const auto count = std::uint64_t{last} - first + 1;
  if (count > limit) return too_many(text, std::to_string(count), limit);
  std::vector<std::string> addresses;
  addresses.reserve(count);
  for (std::uint64_t each = first; each <= last; ++each) {
    addresses.push_back(ipv4_text(static_cast<std::uint32_t>(each)));
  }
  return addresses;
}

Result<std::vector<std::string>> ipv6_network(std::string_view text, Bytes network,
                                              std::int64_t prefix, std::size_t limit) {
  if (prefix > 128) return bad(text, "an IPv6 prefix has 0 to 128 bits");
  const auto host_bits = static_cast<unsigned>(128 - prefix);
  if (host_bits > 20 || (std::size_t{1} << host_bits) > limit) {
    return too_many(text, fmt::format("2^{}", host_bits), limit);
  }
  for (unsigned bit = 0; bit < host_bits; ++bit) {
    auto& byte = network[15 - bit / 8];
    byte = static_cast<std::uint8_t>(byte & ~(1U << (bit % 8)));
  }
  std::vector<std::string> addresses;
  for (std::size_t i = 0; i < (std::size_t{1} << host_bits); ++i) {
    auto bytes = network;
    for (std::size_t at = 0; at < 4; ++at) {
      bytes[15 - at] = static_cast<std::uint8_t>(bytes[15 - at] | ((i >> (8 * at)) & 255U));
    }
    std::array<char, INET6_ADDRSTRLEN> buffer{};
    inet_ntop(AF_INET6, bytes.data(), buffer.data(), buffer.size());
    addresses.emplace_back(buffer.data());
  }
  return addresses;
}

Result<std::vector<std::string>> network(std::string_view text, std::size_t slash,
                                         std::size_t limit) {
  const auto prefix = to_int(text.substr(slash + 1));
  if (!prefix || *prefix < 0) return bad(text, "what follows the / is no number of bits");
  if (const auto six = ipv6(text.substr(0, slash))) return ipv6_network(text, *six, *prefix, limit);
  const auto base = ipv4(text.substr(0, slash));
  if (!base) return bad(text, fmt::format("\"{}\" is no IP address", text.substr(0, slash)));
  if (*prefix > 32) return bad(text, "an IPv4 prefix has 0 to 32 bits");
  const auto host_bits = static_cast<unsigned>(32 - *prefix);
  const auto mask = host_bits == 32 ? 0U : ~std::uint32_t{0} << host_bits;
  auto first = *base & mask;
  auto last = first | ~mask;
  if (host_bits >= 2) {  // the network's own address and its broadcast are no machines
    ++first;
    --last;
  }
  return span_of(text, first, last, limit);
}

bool looks_like_host(std::string_view text) {
  return !text.empty() && text.front() != '-' && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_';
  });
}

bool only_digits_and_dots(std::string_view text) {
  return text.find_first_not_of("0123456789.") == std::string_view::npos;
}

}  // namespace

Result<std::vector<std::string>> expand_targets(std::string_view text, std::size_t limit) {
  text = trim(text);
  if (text.empty()) return bad(text, "nothing is named");
  if (const auto slash = text.find('/'); slash != std::string_view::npos) {
    return network(text, slash, limit);
  }
  if (ipv4(text) || ipv6(text)) return std::vector{std::string(text)};

  if (text.find('[') != std::string_view::npos) {
    auto expanded = expand_range(text);
    if (!expanded) return fail(expanded.error());
    if (expanded->size() > limit) return too_many(text, std::to_string(expanded->size()), limit);
    for (const auto& each : *expanded) {
      const bool address = !only_digits_and_dots(each) || ipv4(each);
      if (!address || !(looks_like_host(each) || ipv6(each))) {
        return bad(text, fmt::format("\"{}\" is neither an address nor a host name", each));
      }
    }
    return expanded;
  }

  if (const auto dash = text.find('-'); dash != std::string_view::npos) {
    if (const auto first = ipv4(text.substr(0, dash))) {
      const auto rest = text.substr(dash + 1);
      auto last = ipv4(rest);
      if (const auto octet = to_int(rest); !last && octet) {
        if (*octet < 0 || *octet > 255)
          return bad(text, fmt::format("{} is no part of an address", *octet));
        last = (*first & ~255U) | static_cast<std::uint32_t>(*octet);
      }
      if (!last) return bad(text, fmt::format("\"{}\" does not end a range of addresses", rest));
      if (*last < *first) return bad(text, "the range runs backwards");
      return span_of(text, *first, *last, limit);
    }
  }
  if (only_digits_and_dots(text)) return bad(text, "this is no IP address");
  if (!looks_like_host(text)) return bad(text, "this is no address and no host name");
  return std::vector{std::string(text)};
}

}  // namespace podwright
