#include "transport/ssh_config.hpp"

#include <fmt/format.h>
#include <glob.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "base/files.hpp"
#include "base/text.hpp"
#include "transport/host_patterns.hpp"

namespace podwright {

namespace {

namespace fs = std::filesystem;

constexpr int most_includes_deep = 16;

std::string lower(std::string_view text) {
  std::string copy(text);
  std::ranges::transform(copy, copy.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return copy;
}

/// Words of a line, "double quoted" ones together; what follows an unquoted # is a comment.
std::vector<std::string> arguments(std::string_view text) {
  std::vector<std::string> found;
  std::size_t at = 0;
  while (at < text.size()) {
    if (text[at] == ' ' || text[at] == '\t') {
      ++at;
      continue;
    }
    if (text[at] == '#') break;
    std::string word;
    bool quoted = false;
    for (; at < text.size() && (quoted || (text[at] != ' ' && text[at] != '\t')); ++at) {
      if (text[at] == '"') {
        quoted = !quoted;
      } else {
        word += text[at];
      }
    }
    found.push_back(std::move(word));
  }
  return found;
}

std::string local_user() {
  if (const char* user = std::getenv("USER"); user != nullptr && *user != '\0') return user;
  const auto* entry = getpwuid(geteuid());
  return entry == nullptr ? "root" : entry->pw_name;
}

std::string expand(std::string_view text, const std::string& home, const std::string& written,
                   const HostSettings& settings) {
  std::string expanded;
  if (text.starts_with("~/")) {
    expanded = home;
    text.remove_prefix(1);
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%' || i + 1 == text.size()) {
      expanded += text[i];
      continue;
    }
    switch (text[++i]) {
      case 'd':
        expanded += home;
        break;
      case 'h':
        expanded += settings.host_name.value_or(written);
        break;
      case 'n':
        expanded += written;
        break;
      case 'p':
        expanded += std::to_string(settings.port.value_or(22));
        break;
      case 'r':
        expanded += settings.user.value_or("root");
        break;
      case 'u':
        expanded += local_user();
        break;
      case '%':
        expanded += '%';
        break;
      default:
        expanded += fmt::format("%{}", text[i]);
    }
  }
  return expanded;
}

/// "ssh -q -W %h:%p bastion" is a jump host written the old way.
std::optional<std::string> jump_in_disguise(std::string_view command) {
  const auto parts = arguments(command);
  if (parts.size() < 4 || (parts[0] != "ssh" && !parts[0].ends_with("/ssh"))) return std::nullopt;
  std::string host;
  std::string port;
  bool forwards = false;
  for (std::size_t i = 1; i < parts.size(); ++i) {
    if (parts[i] == "-W" && i + 1 < parts.size()) {
      forwards = parts[++i] == "%h:%p" || parts[i] == "[%h]:%p";
    } else if (parts[i] == "-p" && i + 1 < parts.size()) {
      port = parts[++i];
    } else if (parts[i] == "-q" || parts[i] == "-x" || parts[i] == "-T") {
      continue;
    } else if (!parts[i].starts_with('-') && host.empty()) {
      host = parts[i];
    } else {
      return std::nullopt;
    }
  }
  if (!forwards || host.empty()) return std::nullopt;
  return port.empty() ? host : host + ":" + port;
}

}  // namespace

Result<SshConfig> SshConfig::load(const std::vector<fs::path>& files, const std::string& home) {
  SshConfig config;
  config.home_ = home;
  for (const auto& file : files) {
    std::error_code error;
    if (!fs::exists(file, error)) continue;
    if (auto done = config.read(file, 0, 0); !done) return fail(done.error());
  }
  return config;
}

std::size_t SshConfig::add_condition(std::size_t enclosing, Condition condition) {
  conditions_.emplace_back(enclosing, std::move(condition));
  return conditions_.size() - 1;
}

Status SshConfig::read(const fs::path& file, std::size_t condition, int depth) {
  if (depth > most_includes_deep) {
    return fail(Fault::usage,
                fmt::format("{}: files include each other without end", file.string()));
  }
  const auto text = read_file(file);
  if (!text) return fail(text.error());
  const auto enclosing = condition;
  int number = 0;
  for (const auto raw : lines(*text)) {
    ++number;
    auto line = trim(raw);
    if (line.empty() || line.front() == '#') continue;
    const auto end = line.find_first_of(" \t=");
    const auto key = lower(line.substr(0, end));
    auto rest = end == std::string_view::npos ? std::string_view() : trim(line.substr(end));
    if (rest.starts_with('=')) rest = trim(rest.substr(1));
    const auto where = fmt::format("{}:{}", file.string(), number);
    auto values = arguments(rest);
    if (values.empty()) continue;

    if (key == "host") {
      condition = add_condition(enclosing, {.patterns = join(values, " ")});
    } else if (key == "match") {
      const auto criterion = lower(values[0]);
      Condition match;
      if (criterion == "all" && values.size() == 1) {
        match.patterns = "*";
      } else if ((criterion == "host" || criterion == "originalhost") && values.size() == 2) {
        match.host_name = criterion == "host";
        match.patterns = values[1];
        std::ranges::replace(match.patterns, ',', ' ');
      } else {
        match.never = true;
        notes_.push_back(where + ": \"Match " + std::string(rest) +
                         "\" is not understood and skipped");
      }
      condition = add_condition(enclosing, std::move(match));
    } else if (key == "include") {
      for (auto pattern : values) {
        if (pattern.starts_with("~/")) pattern = home_ + pattern.substr(1);
        if (!pattern.starts_with('/')) pattern = (file.parent_path() / pattern).string();
        glob_t found{};
        std::vector<std::string> paths;
        if (glob(pattern.c_str(), 0, nullptr, &found) == 0) {
          paths.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
        }
        globfree(&found);
        for (const auto& path : paths) {
          if (auto done = read(path, condition, depth + 1); !done) return done;
        }
      }
    } else {
      if (key == "proxycommand") values = {std::string(rest)};
      lines_.push_back({.condition = condition, .key = key, .values = std::move(values)});
    }
  }
  return {};
}

bool SshConfig::applies(std::size_t condition, const std::string& host,
                        const HostSettings& settings) const {
  while (condition != 0) {
    const auto& [enclosing, each] = conditions_[condition];
    const auto& compared = each.host_name ? settings.host_name.value_or(host) : host;
    if (each.never || !patterns_match(words(each.patterns), compared)) return false;
    condition = enclosing;
  }
  return true;
}

HostSettings SshConfig::lookup(const std::string& host) const {
  HostSettings settings;
  bool jump_decided = false;
  bool only_decided = false;
  std::vector<std::string> identities;
  for (const auto& line : lines_) {
    if (!applies(line.condition, host, settings)) continue;
    const auto& value = line.values.front();
    if (line.key == "hostname" && !settings.host_name) {
      settings.host_name = expand(value, home_, host, settings);
    } else if (line.key == "user" && !settings.user) {
      settings.user = value;
    } else if (line.key == "port" && !settings.port) {
      if (const auto port = to_int(value); port && *port > 0 && *port < 65536) {
        settings.port = static_cast<int>(*port);
      }
    } else if (line.key == "identityfile" && value != "none") {
      identities.push_back(value);
    } else if (line.key == "identitiesonly" && !only_decided) {
      only_decided = true;
      settings.identities_only = lower(value) == "yes";
    } else if (line.key == "identityagent" && !settings.identity_agent) {
      settings.identity_agent = value == "SSH_AUTH_SOCK" ? std::string() : value;
      if (value.starts_with('$')) {
        const char* path = std::getenv(value.c_str() + 1);
        settings.identity_agent = path == nullptr ? "none" : path;
      }
    } else if (line.key == "proxyjump" && !jump_decided) {
      jump_decided = true;
      if (value != "none") {
        for (const auto hop : split(value, ',')) settings.proxy_jump.emplace_back(hop);
      }
    } else if (line.key == "proxycommand" && !jump_decided) {
      jump_decided = true;
      if (const auto jump = jump_in_disguise(value)) {
        settings.proxy_jump = {*jump};
      } else if (value != "none") {
        settings.proxy_command = value;
      }
    } else if (line.key == "connecttimeout" && !settings.connect_timeout_seconds) {
      if (const auto seconds = to_int(value); seconds && *seconds > 0 && *seconds < 86400) {
        settings.connect_timeout_seconds = static_cast<int>(*seconds);
      }
    }
  }
  for (const auto& each : identities) {
    settings.identity_files.push_back(expand(each, home_, host, settings));
  }
  if (settings.identity_agent && *settings.identity_agent != "none") {
    settings.identity_agent = expand(*settings.identity_agent, home_, host, settings);
  }
  return settings;
}

Result<JumpHost> parse_jump_host(std::string_view text) {
  const auto written = std::string(text);
  const auto bad = [&written] {
    return fail(Fault::usage, fmt::format("\"{}\" is not a jump host", written),
                "write it as user@host:port");
  };
  if (text.starts_with("ssh://")) text.remove_prefix(6);
  JumpHost jump;
  if (const auto at = text.rfind('@'); at != std::string_view::npos) {
    jump.user = text.substr(0, at);
    text.remove_prefix(at + 1);
    if (jump.user.empty()) return bad();
  }
  std::string_view port;
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) return bad();
    jump.host = text.substr(1, end - 1);
    text.remove_prefix(end + 1);
    if (!text.empty() && text.front() != ':') return bad();
    if (!text.empty()) port = text.substr(1);
  } else if (std::ranges::count(text, ':') == 1) {
    jump.host = text.substr(0, text.find(':'));
    port = text.substr(text.find(':') + 1);
    if (port.empty()) return bad();
  } else {
    jump.host = text;  // a bare IPv6 address has more colons
  }
  if (jump.host.empty()) return bad();
  if (!port.empty()) {
    const auto number = to_int(port);
    if (!number || *number < 1 || *number > 65535) return bad();
    jump.port = static_cast<int>(*number);
  }
  return jump;
}

}  // namespace podwright
