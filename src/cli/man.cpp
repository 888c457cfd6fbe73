#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "cli/globals.hpp"
#include "cli/help.hpp"
#include "cli/version.hpp"

namespace podwright::cli {

namespace {

/// Text that roff takes as it is: no control lines, no escapes, hyphens that can be searched for.
std::string roff(std::string_view text) {
  std::string out;
  bool line_start = true;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (line_start && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\') out += "\\e";
    else if (c == '-') out += "\\-";
    else if (text.substr(at).starts_with("\xE2\x80\xA6")) {  // an ellipsis, for terminals without UTF-8
      out += "...";
      at += 2;
    } else {
      out += c;
    }
    line_start = c == '\n';
  }
  return out;
}

std::string paragraphs(std::string_view text) {
  std::string out;
  for (const auto line : lines(text)) {
    if (line.empty()) out += ".PP\n";
    else out += roff(line) + "\n";
  }
  return out;
}

std::string options_roff(const std::vector<Option>& options) {
  std::string out;
  for (const auto& option : options) {
    std::vector<std::string> names;
    for (const auto name : split(option.names, ',')) names.push_back("\\fB" + roff(name) + "\\fR");
    out += ".TP\n" + join(names, ", ");
    if (!option.value.empty()) out += " \\fI" + roff(option.value) + "\\fR";
    out += "\n" + roff(option.help) + (option.repeats ? " (repeatable)" : "") + ".\n";
  }
  return out;
}

std::string section(const Command& command, const std::string& path) {
  std::string out = fmt::format(".SS \"podwright {} [OPTIONS]{}{}\"\n", roff(path),
                                command.positionals.usage.empty() ? "" : " ", roff(command.positionals.usage));
  out += roff(command.summary) + ".\n";
  if (!command.details.empty()) out += ".PP\n" + paragraphs(command.details);
  if (!command.positionals.help.empty()) {
    out += ".TP\n\\fI" + roff(command.positionals.usage) + "\\fR\n" + roff(command.positionals.help) + ".\n";
  }
  out += options_roff(command.options);
  for (const auto& example : command.examples) {
    out += ".PP\n.nf\n.RS\n" + roff(example.command) + "\n.RE\n.fi\n.RS\n" + roff(example.says) + "\n.RE\n";
  }
  for (const auto& sub : command.commands) out += section(sub, path + " " + sub.name);
  return out;
}

}  // namespace

std::string man_page(const std::vector<Command>& commands) {
  std::string out = fmt::format(".TH PODWRIGHT 1 \"\" \"podwright {}\" \"User Commands\"\n", roff(version_text()));
  out += ".SH NAME\npodwright \\- racks of powered\\-on Linux machines in, a cluster proven ready to train out\n";
  out += ".SH SYNOPSIS\n.B podwright\n[\\fIOPTIONS\\fR] \\fIVERB\\fR [\\fIARGUMENTS\\fR]\n";
  out += ".SH DESCRIPTION\n"
         "One binary that takes Linux machines with SSH and hands over a cluster that is proven ready to train.\n"
         "It finds the nodes, installs what a TOML profile describes, measures the interconnect, names what is\n"
         "broken, and hands over a working scheduler with a report.\n"
         "Nodes need sshd and /bin/sh, nothing else.\n"
         ".PP\nResults go to stdout, messages and progress to stderr.\n"
         "With \\fB\\-\\-output json\\fR stdout is exactly one JSON document, also when the command fails.\n";
  Globals globals;
  out += ".SH OPTIONS\nOf every verb, before or after it:\n" + options_roff(global_options(globals));
  out += ".SH VERBS\n";
  for (const auto& command : commands) out += section(command, command.name);
  out += ".SH EXIT STATUS\n";
  for (const auto code : {kOk, kInternal, kUsage, kNodesFailed, kNotPassed, kStale, kCancelled}) {
    out += fmt::format(".TP\n.B {}\n{}.\n", int{code}, roff(meaning(code)));
  }
  out += ".SH FILES\n"
         ".TP\n.I cluster.toml\nThe cluster: nodes, login, profile.\n"
         ".TP\n.I .podwright/runs/\nA folder for each run: events.ndjson, plan.json, applied.json, report.html.\n"
         ".TP\n.I .podwright/secrets/\nGenerated secrets, readable by their owner only.\n"
         ".TP\n.I known_hosts\nPinned host keys.\n";
  out += ".SH ENVIRONMENT\n"
         ".TP\n.B PODWRIGHT_DATA\nA folder with profiles and templates, in place of those that are compiled in.\n"
         ".TP\n.B NO_COLOR\nWhen set, no colours unless \\fB\\-\\-color always\\fR.\n"
         ".TP\n.B SSH_AUTH_SOCK\nThe SSH agent.\n";
  return out;
}

}  // namespace podwright::cli
