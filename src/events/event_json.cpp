#include "events/event_json.hpp"
#include "base/json.hpp"

#include "base/clock.hpp"
#include "base/text.hpp"

namespace podwright::events {

namespace {

constexpr std::size_t kMostOutput = 64U << 10U;

std::string bounded(std::string_view output) {
  if (output.size() > kMostOutput) output.remove_prefix(output.size() - kMostOutput);
  return clean_output(output);
}

Json error_json(const Error& error) {
  Json json = {{"fault", to_string(error.fault)}, {"what", clean_output(error.what)}};
  if (!error.step.empty()) json["step"] = error.step;
  if (!error.hint.empty()) json["hint"] = clean_output(error.hint);
  return json;
}

std::string_view to_string(Note::Level level) {
  switch (level) {
    case Note::Level::debug: return "debug";
    case Note::Level::info: return "info";
    case Note::Level::warning: return "warning";
    case Note::Level::error: return "error";
  }
  return "error";
}

struct Fields {
  Json& json;

  void operator()(const RunStarted& e) const {
    json.update(Json{{"event", "run_started"}, {"verb", e.verb}, {"run", e.run}, {"directory", e.directory}});
  }
  void operator()(const RunFinished& e) const {
    json.update(Json{{"event", "run_finished"}, {"verb", e.verb}, {"run", e.run}, {"ok", e.ok},
                     {"exit_code", e.exit_code}});
  }
  void operator()(const PhaseStarted& e) const {
    json.update(Json{{"event", "phase_started"}, {"phase", e.phase}, {"total", e.total}});
  }
  void operator()(const PhaseFinished& e) const {
    json.update(Json{{"event", "phase_finished"}, {"phase", e.phase}, {"ok", e.ok},
                     {"elapsed_ms", e.elapsed.count()}});
  }
  void operator()(const Progress& e) const {
    json.update(Json{{"event", "progress"}, {"phase", e.phase}, {"done", e.done}, {"total", e.total},
                     {"item", e.item}});
  }
  void operator()(const NodeConnected& e) const {
    json.update(Json{{"event", "node_connected"}, {"node", e.node}});
  }
  void operator()(const NodeFailed& e) const {
    json.update(Json{{"event", "node_failed"}, {"node", e.node}, {"error", error_json(e.error)}});
  }
  void operator()(const StepStarted& e) const {
    json.update(Json{{"event", "step_started"}, {"node", e.node}, {"step", e.step}, {"action", e.action}});
  }
  void operator()(const StepFinished& e) const {
    json.update(Json{{"event", "step_finished"}, {"node", e.node}, {"step", e.step}, {"ok", e.ok},
                     {"exit_status", e.exit_status}, {"output", bounded(e.output)},
                     {"elapsed_ms", e.elapsed.count()}});
  }
  void operator()(const Note& e) const {
    json.update(Json{{"event", "note"}, {"level", to_string(e.level)}, {"text", clean_output(e.text)}});
  }
};

}  // namespace

Json event_to_json(const Event& event, std::chrono::system_clock::time_point when) {
  Json json = {{"time", utc_timestamp(when)}};
  std::visit(Fields{json}, event);
  return json;
}

std::string event_line(const Event& event, std::chrono::system_clock::time_point when) {
  // Names of nodes and steps come from files of the operator: their bytes need not be UTF-8.
  return event_to_json(event, when).dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace podwright::events
