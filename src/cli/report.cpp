#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "base/files.hpp"
#include "base/text.hpp"
#include "cli/app.hpp"
#include "cli/commands.hpp"
#include "cli/report_file.hpp"
#include "cli/version.hpp"
#include "config/json.hpp"
#include "engine/report_data.hpp"
#include "report/formats.hpp"

namespace podwright::cli {

namespace {

const std::vector<std::string> kFormats = {"text", "md", "html", "json", "junit"};

struct Options {
  std::vector<std::string> runs;
  std::string format;
  std::string out;
  bool list = false;
};

Result<std::string> format_of(const Options& options) {
  if (!options.format.empty()) return options.format;
  if (options.out.empty()) return std::string("text");
  const auto extension = std::filesystem::path(options.out).extension().string();
  if (extension == ".html" || extension == ".htm") return std::string("html");
  if (extension == ".md") return std::string("md");
  if (extension == ".json") return std::string("json");
  if (extension == ".xml") return std::string("junit");
  if (extension == ".txt") return std::string("text");
  return fail(Fault::usage, fmt::format("the name {} does not tell the format", options.out),
              "name it with --format text|md|html|json|junit");
}

Outcome list_runs(const App& app, const Inventory& inventory) {
  Table table({"run", "has"});
  Json runs = Json::array();
  for (const auto& id : RunFolder::list(inventory.state_dir)) {
    const auto folder = RunFolder::open(inventory.state_dir, id);
    if (!folder) continue;
    std::vector<std::string> parts;
    for (const auto* part : {"facts", "plan", "applied", "fabric", "checks", "handoff"}) {
      if (std::filesystem::exists(folder->file(std::string(part) + ".json"))) parts.emplace_back(part);
    }
    table.add({id, join(parts, " ")});
    runs.push_back({{"run", id}, {"parts", parts}});
  }
  return {.document = {{"runs", runs}}, .text = table.text(app.width(), 0, app.style())};
}

Result<Outcome> run_report(App& app, const Options& options) {
  const auto inventory = app.inventory();
  if (!inventory) return fail(inventory.error());
  if (options.list) return list_runs(app, **inventory);
  const auto format = format_of(options);
  if (!format) return fail(format.error());

  Result<ReportData> data = fail(Fault::internal, "not loaded");
  if (options.runs.empty()) {
    data = load_report(**inventory);
  } else {
    const auto run = RunFolder::open((*inventory)->state_dir, options.runs.front());
    if (!run) return fail(run.error());
    data = load_report(**inventory, *run);
  }
  if (!data) return fail(data.error());
  data->report.version = version_text();
  for (const auto& warning : data->warnings) app.events().warn(warning);

  Outcome outcome{.document = to_json(data->report)};
  const bool to_file = !options.out.empty();
  const auto text = format_report(data->report, *format, to_file ? 100 : app.width(), !to_file && app.style().color);
  if (!text) return fail(text.error());
  if (to_file) {
    if (auto written = write_file(options.out, *text); !written) return fail(written.error());
    outcome.document = {{"file", options.out}, {"format", *format}, {"pass", data->report.pass()}};
    outcome.text = fmt::format("wrote {}\n", options.out);
  } else {
    outcome.text = *text;
  }
  return outcome;
}

}  // namespace

Result<std::string> format_report(const Report& report, const std::string& format, std::size_t width, bool color) {
  if (format == "text") return to_text(report, static_cast<int>(width), color);
  if (format == "md") return to_markdown(report);
  if (format == "html") return to_html(report);
  if (format == "junit") {
    if (!report.checks) {
      return fail(Fault::usage, "JUnit shows checks, and there are none", "run `podwright check` first");
    }
    return to_junit(*report.checks, report.cluster);
  }
  return to_json(report).dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Command report_command() {
  auto options = std::make_shared<Options>();
  return {
      .name = "report",
      .group = "Hand over",
      .summary = "the acceptance report, for people and programs",
      .details =
          "Without RUN it reports the cluster as it is known now: of each part the newest that any run has, and "
          "a warning where one is older than the last change. With RUN (or the beginning of its name, or latest) "
          "it reports that run alone. No node is contacted.",
      .options = {choice_option("--format", "by default text, or what -o ends in", kFormats, options->format),
                  text_option("-o,--out", "FILE", "write it there: .html, .md, .json, .xml (JUnit), .txt",
                              options->out, Completes::file),
                  flag("--list", "the runs there are", options->list)},
      .positionals = {.usage = "[RUN]", .help = "a run", .least = 0, .most = 1, .into = &options->runs,
                      .completes = Completes::run},
      .examples = {{"podwright report", "the cluster as it is known now"},
                   {"podwright report -o report.html", "a page to send to the next person"},
                   {"podwright report latest --format junit -o checks.xml", "the checks, for continuous integration"}},
      .run = [options](App& app) { return run_report(app, *options); }};
}

}  // namespace podwright::cli
