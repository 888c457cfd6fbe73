#include "config/json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <concepts>
#include <limits>

#include "base/digest.hpp"
#include "base/json.hpp"
#include "base/text.hpp"

namespace podwright {

namespace {

// The shape of each document is written down once, in `describe`; a Writer and a Reader walk it.
//   io("key", member)        is always written and must be there
//   io.maybe("key", member)  is left out when it is an empty text or list, and may be absent
//   io.derived("key", fn)    is written for readers of the document and never read back

/// A document of another shape; caught where the document was handed in.
struct Misshapen {
  std::string what;
};

constexpr std::array all_faults = {Fault::usage,   Fault::unreachable, Fault::auth,
                                   Fault::timeout, Fault::remote,      Fault::validation,
                                   Fault::stale,   Fault::cancelled,   Fault::internal};
constexpr std::array all_node_statuses = {NodeStatus::ok, NodeStatus::failed,
                                          NodeStatus::unreachable, NodeStatus::quarantined};
constexpr std::array all_verdicts = {Verdict::pass, Verdict::slow, Verdict::failed};
constexpr std::array all_check_statuses = {CheckStatus::pass, CheckStatus::warn, CheckStatus::fail,
                                           CheckStatus::skip, CheckStatus::error};

const auto& choices(Fault) { return all_faults; }
const auto& choices(NodeStatus) { return all_node_statuses; }
const auto& choices(Verdict) { return all_verdicts; }
const auto& choices(CheckStatus) { return all_check_statuses; }

template <class T>
concept Enum = std::is_enum_v<T>;
template <class T>
concept Integer = std::integral<T> && !std::same_as<T, bool>;

// --- the shapes ----------------------------------------------------------------------------------

template <class Io>
void describe(Io& io, typename Io::template As<Error>& e) {
  io("fault", e.fault);
  io("what", e.what);
  io.maybe("node", e.node);
  io.maybe("step", e.step);
  io.maybe("hint", e.hint);
}

template <class Io>
void describe(Io& io, typename Io::template As<OsFacts>& os) {
  io("id", os.id);
  io("version", os.version);
  io.maybe("codename", os.codename);
  io.maybe("name", os.name);
}

template <class Io>
void describe(Io& io, typename Io::template As<CpuFacts>& cpu) {
  io.maybe("model", cpu.model);
  io.maybe("vendor", cpu.vendor);
  io("sockets", cpu.sockets);
  io("cores_per_socket", cpu.cores_per_socket);
  io("threads_per_core", cpu.threads_per_core);
  io("logical", cpu.logical);
  io.maybe("governor", cpu.governor);
  io.maybe("clocksource", cpu.clocksource);
}

template <class Io>
void describe(Io& io, typename Io::template As<NumaNode>& numa) {
  io("id", numa.id);
  io("memory_bytes", numa.memory_bytes);
  io("cpus", numa.cpus);
}

template <class Io>
void describe(Io& io, typename Io::template As<PciDevice>& pci) {
  io("slot", pci.slot);
  io("vendor", pci.vendor);
  io("device", pci.device);
  io("class", pci.klass);
  io.maybe("driver", pci.driver);
  io.maybe("numa", pci.numa);
  io.maybe("link_speed", pci.link_speed);
  io.maybe("link_width", pci.link_width);
  io.maybe("max_link_speed", pci.max_link_speed);
  io.maybe("max_link_width", pci.max_link_width);
}

template <class Io>
void describe(Io& io, typename Io::template As<Accelerator>& gpu) {
  io("vendor", gpu.vendor);
  io("model", gpu.model);
  io("slot", gpu.slot);
  io.maybe("numa", gpu.numa);
  io.maybe("device_file", gpu.device_file);
}

template <class Io>
void describe(Io& io, typename Io::template As<Hca>& hca) {
  io("name", hca.name);
  io.maybe("board", hca.board);
  io.maybe("firmware", hca.firmware);
  io("link_layer", hca.link_layer);
  io("state", hca.state);
  io("rate_gbps", hca.rate_gbps);
  io.maybe("netdev", hca.netdev);
  io.maybe("numa", hca.numa);
}

template <class Io>
void describe(Io& io, typename Io::template As<Nic>& nic) {
  io("name", nic.name);
  io.maybe("mac", nic.mac);
  io("state", nic.state);
  io("speed_gbps", nic.speed_gbps);
  io.maybe("mtu", nic.mtu);
  io.maybe("driver", nic.driver);
  io.maybe("addresses", nic.addresses);
}

template <class Io>
void describe(Io& io, typename Io::template As<Disk>& disk) {
  io("name", disk.name);
  io("bytes", disk.bytes);
  io.maybe("model", disk.model);
  io.maybe("rotational", disk.rotational);
}

template <class Io>
void describe(Io& io, typename Io::template As<Mount>& mount) {
  io("path", mount.path);
  io("source", mount.source);
  io("fstype", mount.fstype);
  io.maybe("options", mount.options);
  io.maybe("bytes", mount.bytes);
  io.maybe("used_bytes", mount.used_bytes);
  io.maybe("available_bytes", mount.available_bytes);
  io.maybe("inodes_used_percent", mount.inodes_used_percent);
  io.maybe("hung", mount.hung);
}

template <class Io>
void describe(Io& io, typename Io::template As<Facts>& facts) {
  io.maybe("node", facts.node);
  io.maybe("hostname", facts.hostname);
  io("os", facts.os);
  io("arch", facts.arch);
  io("kernel", facts.kernel);
  io.maybe("boot_id", facts.boot_id);
  io.maybe("machine_id", facts.machine_id);
  io.maybe("virtualization", facts.virtualization);
  io.maybe("cgroup_version", facts.cgroup_version);
  io.maybe("product", facts.product);
  io.maybe("bios", facts.bios);
  io("cpu", facts.cpu);
  io("memory_bytes", facts.memory_bytes);
  io.maybe("swap_bytes", facts.swap_bytes);
  io("numa", facts.numa);
  io.maybe("pci", facts.pci);
  io("gpus", facts.gpus);
  io("hcas", facts.hcas);
  io("nics", facts.nics);
  io("disks", facts.disks);
  io.maybe("mounts", facts.mounts);
  io.maybe("package_manager", facts.package_manager);
  io.maybe("packages", facts.packages);
  io.maybe("services", facts.services);
  io.maybe("sysctl", facts.sysctl);
  io.maybe("drivers", facts.drivers);
  io.maybe("clock_epoch", facts.clock_epoch);
  io.maybe("time_offset_seconds", facts.time_offset_seconds);
  io.maybe("time_synchronized", facts.time_synchronized);
  io.maybe("missing", facts.missing);
}

template <class Io>
void describe(Io& io, typename Io::template As<FabricPort>& port) {
  io("name", port.name);
  io.maybe("address", port.address);
  io.maybe("rate_gbps", port.rate_gbps);
  io("rail", port.rail);
}

template <class Io>
void describe(Io& io, typename Io::template As<SshSettings>& ssh) {
  io("user", ssh.user);
  io("port", ssh.port);
  io.maybe("key", ssh.key);
  io.maybe("agent", ssh.agent);
  io.maybe("password_env", ssh.password_env);
  io.maybe("ask_password", ssh.ask_password);
  io.maybe("become", ssh.become);
  io.maybe("become_password_env", ssh.become_password_env);
  io.maybe("jump", ssh.jump);
  io.maybe("known_hosts", ssh.known_hosts);
  io.maybe("use_ssh_config", ssh.use_ssh_config);
  io.maybe("ssh_config", ssh.ssh_config);
  io.maybe("user_set", ssh.user_set);
  io.maybe("port_set", ssh.port_set);
  io.maybe("key_set", ssh.key_set);
  io.maybe("jump_set", ssh.jump_set);
}

template <class Io>
void describe(Io& io, typename Io::template As<Node>& node) {
  io("name", node.name);
  io("address", node.address);
  io("roles", node.roles);
  io.maybe("labels", node.labels);
  io.maybe("fabric", node.fabric);
  io.maybe("ssh", node.ssh);
}

template <class Io>
void describe(Io& io, typename Io::template As<Artifact>& artifact) {
  io("source", artifact.source);
  io("sha256", artifact.sha256);
}

template <class Io>
void describe(Io& io, typename Io::template As<Undo>& undo) {
  io.exact("paths", undo.paths);
  io.exact("state", undo.state);
  io.exact("restore", undo.restore);
  io.exact("finish", undo.finish);
  io("why_not", undo.why_not);
}

template <class Io>
void describe(Io& io, typename Io::template As<Step>& step) {
  io("id", step.id);
  io("action", step.action);
  io("why", step.why);
  io("diff", step.diff);
  io("reboots", step.reboots);
  io.exact("script", step.script);
  io.exact("batch", step.batch);
  io.exact("batch_words", step.batch_words);
  io.maybe("secrets", step.secrets);
  io.maybe("artifacts", step.artifacts);
  io.maybe("undo", step.undo);
  io("deadline_s", step.deadline);
  io("stage", step.stage);
  io.maybe("waits_for", step.waits_for);
}

template <class Io>
void describe(Io& io, typename Io::template As<NodePlan>& node) {
  io("steps", node.steps);
  io.maybe("satisfied", node.satisfied);
  io.maybe("warnings", node.warnings);
}

template <class Io>
void describe(Io& io, typename Io::template As<Plan>& plan) {
  io("digest", plan.digest);
  io("cluster", plan.cluster);
  io("profile", plan.profile);
  io.maybe("created", plan.created);
  io("stages", plan.stages);
  io("nodes", plan.nodes);
  io("failed", plan.failed);
  io.derived("summary", [&] {
    return Json{{"nodes", plan.nodes.size()},
                {"steps", plan.step_count()},
                {"reboots", plan.reboot_count()},
                {"failed", plan.failed.size()}};
  });
}

template <class Io>
void describe(Io& io, typename Io::template As<AppliedNode>& node) {
  io("status", node.status);
  io("changed", node.changed);
  io("failed_step", node.failed_step);
  io("error", node.error);
  io.maybe("hint", node.hint);
}

template <class Io>
void describe(Io& io, typename Io::template As<Applied>& applied) {
  io("run", applied.run);
  io("nodes", applied.nodes);
  io.derived("summary", [&] {
    Json summary = {{"nodes", applied.nodes.size()}};
    for (const auto status : all_node_statuses) {
      summary[std::string(to_string(status))] = std::ranges::count_if(
          applied.nodes, [&](const auto& n) { return n.second.status == status; });
    }
    std::size_t changed = 0;
    for (const auto& [name, node] : applied.nodes) changed += node.changed.size();
    summary["changed"] = changed;
    return summary;
  });
}

template <class Io>
void describe(Io& io, typename Io::template As<JudgedPair>& judged) {
  io("round", judged.result.round);
  io("a", judged.result.pair.a);
  io("b", judged.result.pair.b);
  io("rail", judged.result.pair.rail);
  io("gbps", judged.gbps);
  io("expected_gbps", judged.expected_gbps);
  io("status", judged.status);
  io("gbps_ab", judged.result.gbps_ab);
  io("gbps_ba", judged.result.gbps_ba);
  io.maybe("latency_us", judged.result.latency_us);
  io.maybe("error", judged.result.error);
}

template <class Io>
void describe(Io& io, typename Io::template As<NodeFault>& fault) {
  io("name", fault.name);
  io("rail", fault.rail);
  io("direction", fault.direction);
  io("cause", fault.cause);
  io("gbps", fault.gbps);
  io("confidence", fault.confidence);
  io.maybe("evidence", fault.evidence);
}

template <class Io>
void describe(Io& io, typename Io::template As<LinkFault>& fault) {
  io("a", fault.a);
  io("b", fault.b);
  io.maybe("rail", fault.rail);
  io("gbps", fault.gbps);
  io("confidence", fault.confidence);
  io.maybe("evidence", fault.evidence);
}

template <class Io>
void describe(Io& io, typename Io::template As<FabricVerdict>& verdict) {
  io("pass", verdict.pass);
  io("nodes", verdict.nodes);
  io("links", verdict.links);
  io("ambiguous", verdict.ambiguous);
  io.maybe("summary", verdict.summary);
}

template <class Io>
void describe(Io& io, typename Io::template As<CollectiveResult>& result) {
  io("name", result.name);
  io("nodes", result.nodes);
  io("busbw_gbytes_per_s", result.busbw_gbytes_per_s);
  io.maybe("expected_gbytes_per_s", result.expected_gbytes_per_s);
  io("status", result.status);
  io.maybe("error", result.error);
  io.maybe("tool", result.tool);
  io.maybe("node", result.node);
  io.maybe("source", result.source);
}

template <class Io>
void describe(Io& io, typename Io::template As<CounterDelta>& counter) {
  io("node", counter.node);
  io("port", counter.port);
  io("counter", counter.counter);
  io("delta", counter.delta);
  io("fatal", counter.fatal);
}

template <class Io>
void describe(Io& io, typename Io::template As<LeafOf>& leaf) {
  io("node", leaf.node);
  io("rail", leaf.rail);
  io("leaf", leaf.leaf);
}

template <class Io>
void describe(Io& io, typename Io::template As<FabricReport>& report) {
  io("rounds", report.rounds);
  io("probes", report.probes);
  io("pairs", report.pairs);
  io("verdict", report.verdict);
  io("collectives", report.collectives);
  io.maybe("counters", report.counters);
  io.maybe("leaves", report.leaves);
}

template <class Io>
void describe(Io& io, typename Io::template As<CheckResult>& check) {
  io("id", check.id);
  io("status", check.status);
  io("observed", check.observed);
  io("expected", check.expected);
  io("remedy", check.remedy);
  io("source", check.source);
}

template <class Io>
void describe(Io& io, typename Io::template As<NodeChecks>& node) {
  io("checks", node.checks);
  io.maybe("error", node.error);
}

template <class Io>
void describe(Io& io, typename Io::template As<CheckReport>& report) {
  io.derived("pass", [&] { return report.pass(); });
  io("nodes", report.nodes);
}

template <class Io>
void describe(Io& io, typename Io::template As<HandoffTarget>& target) {
  io("name", target.name);
  io("status", target.status);
  io("files", target.files);
  io.maybe("error", target.error);
}

template <class Io>
void describe(Io& io, typename Io::template As<ProofResult>& proof) {
  io("name", proof.name);
  io("pass", proof.pass);
  io("summary", proof.summary);
  io.maybe("command", proof.command);
  io.maybe("output", proof.output);
}

template <class Io>
void describe(Io& io, typename Io::template As<HandoffReport>& report) {
  io("targets", report.targets);
  io.nested("proof", [&](Io& proof) {
    proof.derived("pass", [&] { return std::ranges::all_of(report.proofs, &ProofResult::pass); });
    proof("results", report.proofs);
  });
  io.derived("pass", [&] { return report.pass(); });
}

template <class Io>
void describe(Io& io, typename Io::template As<Report>& report) {
  io("cluster", report.cluster);
  io("profile", report.profile);
  io("run", report.run);
  io("created", report.created);
  io("version", report.version);
  io.derived("pass", [&] { return report.pass(); });
  io("nodes", report.nodes);
  io("facts", report.facts);
  io.maybe("unreachable", report.unreachable);
  io.maybe("plan", report.plan);
  io.maybe("applied", report.applied);
  io.maybe("fabric", report.fabric);
  io.maybe("checks", report.checks);
  io.maybe("handoff", report.handoff);
}

// --- writing -------------------------------------------------------------------------------------

class Writer {
 public:
  template <class T>
  using As = const T;

  template <class T>
  void operator()(const char* key, const T& member) {
    out_[key] = encode(member);
  }
  template <class T>
  void maybe(const char* key, const T& member) {
    if constexpr (requires { member.empty(); }) {
      if (member.empty()) return;
      out_[key] = encode(member);
    } else if constexpr (requires { member.has_value(); }) {
      if (member.has_value()) out_[key] = encode(*member);
    } else {
      out_[key] = encode(member);
    }
  }
  template <class T>
  void derived(const char* key, const T& compute) {
    out_[key] = compute();
  }
  template <class T>
  void nested(const char* key, const T& inside) {
    Writer inner;
    inside(inner);
    out_[key] = std::move(inner.out_);
  }
  void exact(const char* key, const std::string& text) { out_[key] = exactly(text); }
  void exact(const char* key, const std::vector<std::string>& texts) {
    out_[key] = Json::array();
    for (const auto& text : texts) out_[key].push_back(exactly(text));
  }

  template <class T>
  static Json document(const T& value) {
    Writer writer;
    describe(writer, value);
    return std::move(writer.out_);
  }

 private:
  static Json exactly(const std::string& text) {
    return is_utf8(text) ? Json(text) : Json{{"base64", base64_encode(text)}};
  }

  static Json encode(bool value) { return value; }
  template <Integer T>
  static Json encode(T value) {
    return value;
  }
  static Json encode(double value) { return value; }
  static Json encode(std::chrono::seconds value) { return value.count(); }
  static Json encode(const std::string& value) { return valid_utf8(value); }
  template <Enum T>
  static Json encode(T value) {
    return std::string(to_string(value));
  }
  template <class T>
  static Json encode(const std::vector<T>& items) {
    Json list = Json::array();
    for (const auto& item : items) list.push_back(encode(item));
    return list;
  }
  template <class T>
  static Json encode(const std::map<std::string, T>& entries) {
    Json object = Json::object();
    for (const auto& [key, value] : entries) object[valid_utf8(key)] = encode(value);
    return object;
  }
  template <class T>
  requires std::is_class_v<T>
  static Json encode(const T& value) { return document(value); }

  Json out_ = Json::object();
};

// --- reading -------------------------------------------------------------------------------------

std::string_view type_of(const Json& json) {
  switch (json.type()) {
    case Json::value_t::null:
      return "null";
    case Json::value_t::boolean:
      return "true or false";
    case Json::value_t::string:
      return "a text";
    case Json::value_t::array:
      return "an array";
    case Json::value_t::object:
      return "an object";
    default:
      return "a number";
  }
}

[[noreturn]] void refuse(const std::string& path, const Json& json, std::string_view wanted) {
  throw Misshapen{fmt::format("{} must be {}, not {}", path, wanted, type_of(json))};
}

class Reader {
 public:
  template <class T>
  using As = T;

  Reader(const Json& json, std::string path) : in_(json), path_(std::move(path)) {
    if (!json.is_object()) refuse(path_, json, "an object");
  }

  template <class T>
  void operator()(const char* key, T& member) {
    decode(required(key), member, path_ + "." + key);
  }
  template <class T>
  void maybe(const char* key, T& member) {
    const auto found = in_.find(key);
    if (found == in_.end()) return;
    if constexpr (requires {
                    member.emplace();
                    member.has_value();
                  }) {
      decode(*found, member.emplace(), path_ + "." + key);
    } else {
      decode(*found, member, path_ + "." + key);
    }
  }
  template <class T>
  void derived(const char*, const T&) {}
  template <class T>
  void nested(const char* key, const T& inside) {
    Reader inner(required(key), path_ + "." + key);
    inside(inner);
  }
  void exact(const char* key, std::string& text) {
    text = exactly(required(key), path_ + "." + key);
  }
  void exact(const char* key, std::vector<std::string>& texts) {
    const auto& json = required(key);
    const auto path = path_ + "." + key;
    if (!json.is_array()) refuse(path, json, "an array");
    for (const auto& item : json) texts.push_back(exactly(item, path));
  }

  template <class T>
  static Result<T> document(const Json& json, std::string name) {
    try {
      T value{};
      Reader reader(json, std::move(name));
      describe(reader, value);
      return value;
    } catch (const Misshapen& problem) {
      return fail(Fault::usage, problem.what,
                  "the file was not written by this version of podwright");
    }
  }

 private:
  const Json& required(const char* key) {
    const auto found = in_.find(key);
    if (found == in_.end()) throw Misshapen{fmt::format("{}.{} is missing", path_, key)};
    return *found;
  }

  static std::string exactly(const Json& json, const std::string& path) {
    if (json.is_string()) return json.get<std::string>();
    if (!json.is_object() || !json.contains("base64") || !json["base64"].is_string()) {
      refuse(path, json, "a text");
    }
    auto bytes = base64_decode(json["base64"].get<std::string>());
    if (!bytes) throw Misshapen{path + ".base64 is not base64"};
    return *bytes;
  }

  static void decode(const Json& json, bool& value, const std::string& path) {
    if (!json.is_boolean()) refuse(path, json, "true or false");
    value = json.get<bool>();
  }
  template <Integer T>
  static void decode(const Json& json, T& value, const std::string& path) {
    if (!json.is_number_integer()) refuse(path, json, "a whole number");
    const bool fits = json.is_number_unsigned() ? std::in_range<T>(json.get<std::uint64_t>())
                                                : std::in_range<T>(json.get<std::int64_t>());
    if (!fits) throw Misshapen{fmt::format("{} is out of range: {}", path, json.dump())};
    value = json.get<T>();
  }
  static void decode(const Json& json, double& value, const std::string& path) {
    if (!json.is_number()) refuse(path, json, "a number");
    value = json.get<double>();
  }
  static void decode(const Json& json, std::chrono::seconds& value, const std::string& path) {
    std::int64_t count = 0;
    decode(json, count, path);
    value = std::chrono::seconds(count);
  }
  static void decode(const Json& json, std::string& value, const std::string& path) {
    if (!json.is_string()) refuse(path, json, "a text");
    value = json.get<std::string>();
  }
  template <Enum T>
  static void decode(const Json& json, T& value, const std::string& path) {
    std::string text;
    decode(json, text, path);
    std::vector<std::string> known;
    for (const auto choice : choices(value)) {
      known.emplace_back(to_string(choice));
      if (known.back() == text) {
        value = choice;
        return;
      }
    }
    throw Misshapen{fmt::format("{} must be one of {}, not \"{}\"", path, join(known, ", "), text)};
  }
  template <class T>
  static void decode(const Json& json, std::vector<T>& items, const std::string& path) {
    if (!json.is_array()) refuse(path, json, "an array");
    for (std::size_t i = 0; i < json.size(); ++i) {
      decode(json[i], items.emplace_back(), fmt::format("{}[{}]", path, i));
    }
  }
  template <class T>
  static void decode(const Json& json, std::map<std::string, T>& entries, const std::string& path) {
    if (!json.is_object()) refuse(path, json, "an object");
    for (const auto& [key, item] : json.items()) decode(item, entries[key], path + "." + key);
  }
  template <class T>
  requires std::is_class_v<T>
  static void decode(const Json& json, T& value, const std::string& path) {
    Reader reader(json, path);
    describe(reader, value);
  }

  const Json& in_;
  std::string path_;
};

}  // namespace

Json to_json(const Value& value) {
  if (const auto* table = value.table()) {
    Json object = Json::object();
    for (const auto& [key, item] : *table) object[valid_utf8(key)] = to_json(item);
    return object;
  }
  if (const auto* array = value.array()) {
    Json list = Json::array();
    for (const auto& item : *array) list.push_back(to_json(item));
    return list;
  }
  if (const auto* text = value.text()) return valid_utf8(*text);
  if (const auto* whole = value.integer()) return *whole;
  if (const auto* flag = value.flag()) return *flag;
  if (const auto number = value.number()) return *number;
  return nullptr;
}

Json to_json(const Error& error) { return Writer::document(error); }
Json to_json(const Facts& facts) { return Writer::document(facts); }
Json to_json(const Node& node) { return Writer::document(node); }
Json to_json(const Step& step) { return Writer::document(step); }
Json to_json(const Plan& plan) { return Writer::document(plan); }
Json to_json(const Applied& applied) { return Writer::document(applied); }
Json to_json(const FabricReport& report) { return Writer::document(report); }
Json to_json(const CheckReport& report) { return Writer::document(report); }
Json to_json(const HandoffReport& report) { return Writer::document(report); }
Json to_json(const Report& report) { return Writer::document(report); }

std::string plan_digest(const Plan& plan) {
  auto document = to_json(plan);
  document.erase("digest");
  document.erase("created");
  return sha256_hex(document.dump());
}

Result<Node> node_from_json(const Json& json) { return Reader::document<Node>(json, "node"); }
Result<Error> error_from_json(const Json& json) { return Reader::document<Error>(json, "error"); }
Result<Facts> facts_from_json(const Json& json) { return Reader::document<Facts>(json, "facts"); }
Result<Plan> plan_from_json(const Json& json) { return Reader::document<Plan>(json, "plan"); }
Result<Applied> applied_from_json(const Json& json) {
  return Reader::document<Applied>(json, "applied");
}
Result<FabricReport> fabric_from_json(const Json& json) {
  return Reader::document<FabricReport>(json, "fabric");
}
Result<CheckReport> checks_from_json(const Json& json) {
  return Reader::document<CheckReport>(json, "checks");
}
Result<HandoffReport> handoff_from_json(const Json& json) {
  return Reader::document<HandoffReport>(json, "handoff");
}
Result<Report> report_from_json(const Json& json) {
  return Reader::document<Report>(json, "report");
}

}  // namespace podwright
