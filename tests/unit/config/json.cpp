#include "config/json.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <functional>
#include <limits>

#include "base/json.hpp"

using namespace podwright;

namespace {

Json document(const std::string& name) {
  std::ifstream in(PODWRIGHT_CASES "/config/json/" + name + ".json");
  REQUIRE(in);
  return Json::parse(in);
}

/// Reads a document and writes it again; what could be wrong with it is the error.
using Again = std::function<Result<Json>(const Json&)>;

template <class T>
Again again(Result<T> (*read)(const Json&)) {
  return [read](const Json& json) -> Result<Json> {
    const auto value = read(json);
    if (!value) return tl::unexpected(value.error());
    return to_json(*value);
  };
}

const std::vector<std::pair<std::string, Again>> kinds = {
    {"error", again(&error_from_json)},     {"node", again(&node_from_json)},
    {"facts", again(&facts_from_json)},     {"plan", again(&plan_from_json)},
    {"applied", again(&applied_from_json)}, {"fabric", again(&fabric_from_json)},
    {"checks", again(&checks_from_json)},   {"handoff", again(&handoff_from_json)},
    {"report", again(&report_from_json)},
};

/// Calls `visit` with a copy of `json` for each place in it, changed there by `change`, and the
/// place.
void for_each_place(const Json& json, const std::function<Json(const Json&)>& change,
                    const std::function<void(const Json&, const std::string&)>& visit) {
  const auto flat = json.flatten();
  for (const auto& [pointer, leaf] : flat.items()) {
    const auto at = Json::json_pointer(pointer);
    // Each leaf, and every object and array above it.
    for (auto place = at; !place.empty(); place = place.parent_pointer()) {
      Json copy = json;
      copy[place] = change(json[place]);
      visit(copy, place.to_string());
    }
  }
}

}  // namespace

TEST_CASE("documents are read and written again without a difference") {
  for (const auto& [name, read] : kinds) {
    CAPTURE(name);
    const auto before = document(name);
    const auto after = read(before);
    REQUIRE_MESSAGE(after, (after ? "" : after.error().message()));
    CHECK(after->dump(1) == before.dump(1));
  }
}

// These lists of members fail to compile when a model gains one: then extend json.cpp and the
// documents in tests/cases/config/json, in which every member has a value that is not its default.
TEST_CASE("no member of a model is forgotten") {
  {
    [[maybe_unused]] const auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v,
                                  w, x, y, z, aa, ab, ac, ad] = Facts{};
  }
  { [[maybe_unused]] const auto& [a, b, c, d] = OsFacts{}; }
  { [[maybe_unused]] const auto& [a, b, c, d, e, f, g, h] = CpuFacts{}; }
  { [[maybe_unused]] const auto& [a, b, c] = NumaNode{}; }
  { [[maybe_unused]] const auto& [a, b, c, d, e, f, g, h, i, j] = PciDevice{}; }
  { [[maybe_unused]] const auto& [a, b, c, d, e] = Accelerator{}; }
  { [[maybe_unused]] const auto& [a, b, c, d, e, f, g, h] = Hca{}; }
  { [[maybe_unused]] const auto& [a, b, c, d, e, f, g] = Nic{}; }
  { [[maybe_unused]] const auto& [a, b, c, d] = Disk{}; }
  { [[maybe_unused]] const auto& [a, b, c, d, e, f, g, h, i] = Mount{}; }
  { [[maybe_unused]] const auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n] = Step{}; }
  { [[maybe_unused]] const auto& [a, b] = Artifact{}; }
  { [[maybe_unused]] const auto& [a, b, c] = NodePlan{}; }
  { [[maybe_unused]] const auto& [a, b, c, d, e] = Undo{}; }
  { [[maybe_unused]] const auto& [a, b, c, d, e, f, g] = Plan{}; }
  { [[maybe_unused]] const auto& [a, b, c, d, e] = AppliedNode{}; }
  { [[maybe_unused]] const auto& [a, b] = Applied{}; }
  { [[maybe_unused]] const auto& [a, b, c, d, e, f] = PairResult{}; }
  { [[maybe_unused]] const auto& [a, b, c, d] = JudgedPair{}; }
  { [[maybe_unused]] const auto& [a, b, c, d, e, f, g] = NodeFault{}; }
  { [[maybe_unused]] const auto& [a, b, c, d, e, f] = LinkFault{}; }
  { [[maybe_unused]] const auto& [a, b, c, d, e] = FabricVerdict{}; }
  { [[maybe_unused]] const auto& [a, b, c, d, e, f, g, h, i] = CollectiveResult{}; }
  { [[maybe_unused]] const auto& [a, b, c, d, e] = CounterDelta{}; }
  { [[maybe_unused]] const auto& [a, b, c] = LeafOf{}; }
  { [[maybe_unused]] const auto& [a, b, c, d, e, f, g] = FabricReport{}; }
  { [[maybe_unused]] const auto& [a, b, c, d, e, f] = CheckResult{}; }
  { [[maybe_unused]] const auto& [a, b] = NodeChecks{}; }
  { [[maybe_unused]] const auto& [a, b, c, d] = HandoffTarget{}; }
  { [[maybe_unused]] const auto& [a, b, c, d, e] = ProofResult{}; }
  { [[maybe_unused]] const auto& [a, b] = HandoffReport{}; }
  { [[maybe_unused]] const auto& [a, b, c, d, e, f, g, h, i, j, k, l, m] = Report{}; }
  { [[maybe_unused]] const auto& [a, b, c, d] = FabricPort{}; }
  { [[maybe_unused]] const auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = SshSettings{}; }
  { [[maybe_unused]] const auto& [a, b, c, d, e, f, g] = Node{}; }
}

TEST_CASE("a value of another type anywhere is an error that names the key, never an exception") {
  const std::vector<Json> strangers = {nullptr,
                                       true,
                                       -1,
                                       1e300,
                                       "x",
                                       Json::array({Json::array()}),
                                       Json{{"x", 1}},
                                       18446744073709551615ULL};
  int refused = 0;
  for (const auto& [name, read] : kinds) {
    if (name == "report") continue;  // made of the others; its own shape is tested below
    for (const auto& stranger : strangers) {
      for_each_place(
          document(name), [&](const Json&) { return stranger; },
          [&](const Json& broken, const std::string& place) {
            const auto result = read(broken);
            if (result) return;
            ++refused;
            const auto key = place.substr(place.rfind('/') + 1);
            const auto is_index = key.find_first_not_of("0123456789") == std::string::npos;
            const auto wanted = is_index ? "[" + key + "]" : key;
            // A map's or list's entry of another shape may be named by what it lacks.
            const auto& what = result.error().what;
            const auto parent = place.substr(0, place.rfind('/'));
            const bool named = what.find(wanted) != std::string::npos ||
                               what.find(parent.substr(parent.rfind('/') + 1)) != std::string::npos;
            CHECK_MESSAGE(named, name, " ", place, ": ", what);
          });
    }
  }
  CHECK(refused > 1000);
}

TEST_CASE("a missing key is an error that names it, unless it may be absent") {
  int refused = 0;
  for (const auto& [name, read] : kinds) {
    const auto whole = document(name);
    const auto flat = whole.flatten();
    for (const auto& [pointer, leaf] : flat.items()) {
      const auto at = Json::json_pointer(pointer);
      for (auto place = at; !place.empty(); place = place.parent_pointer()) {
        if (!whole[place.parent_pointer()].is_object()) continue;
        Json copy = whole;
        copy[place.parent_pointer()].erase(place.back());
        const auto result = read(copy);
        if (result) continue;
        ++refused;
        const auto wanted = place.back() + " is missing";
        const bool named = result.error().what.find(wanted) != std::string::npos;
        CHECK_MESSAGE(named, name, " ", place.to_string(), ": ", result.error().what);
      }
    }
  }
  CHECK(refused > 100);
}

TEST_CASE("what a document must not lack") {
  const auto missing = [](const std::string& name, const std::string& pointer) {
    auto json = document(name);
    const auto at = Json::json_pointer(pointer);
    json[at.parent_pointer()].erase(at.back());
    for (const auto& [kind, read] : kinds) {
      if (kind != name) continue;
      const auto result = read(json);
      return result ? std::string() : result.error().what;
    }
    return std::string();
  };
  CHECK(missing("plan", "/nodes/cu01/steps/1/script") ==
        "plan.nodes.cu01.steps[1].script is missing");
  CHECK(missing("applied", "/nodes/cu02/status") == "applied.nodes.cu02.status is missing");
  CHECK(missing("fabric", "/verdict/pass") == "fabric.verdict.pass is missing");
  CHECK(missing("facts", "/os/id") == "facts.os.id is missing");
  CHECK(missing("facts", "/bios").empty());
}

TEST_CASE("numbers out of range are refused, not wrapped") {
  auto json = document("facts");
  json["cpu"]["sockets"] = 5'000'000'000;
  auto facts = facts_from_json(json);
  REQUIRE_FALSE(facts);
  CHECK(facts.error().what == "facts.cpu.sockets is out of range: 5000000000");
  json = document("facts");
  json["memory_bytes"] = -1;
  facts = facts_from_json(json);
  REQUIRE_FALSE(facts);
  CHECK(facts.error().what == "facts.memory_bytes is out of range: -1");
}

TEST_CASE("an unknown word for a status names the known ones") {
  auto json = document("checks");
  json["nodes"]["cu01"]["checks"][0]["status"] = "passed";
  const auto checks = checks_from_json(json);
  REQUIRE_FALSE(checks);
  CHECK(checks.error().what ==
        "checks.nodes.cu01.checks[0].status must be one of pass, warn, fail, skip, error, not "
        "\"passed\"");
}

TEST_CASE("what is not an object is refused") {
  for (const auto& [name, read] : kinds) {
    for (const auto& json : {Json(nullptr), Json::array(), Json("x"), Json(3)}) {
      const auto result = read(json);
      REQUIRE_FALSE(result);
      CHECK(result.error().what.starts_with(name + " must be an object"));
    }
  }
}

TEST_CASE("bytes that are not UTF-8 can be dumped; scripts survive exactly") {
  Plan plan;
  Step step;
  step.id = "file//etc/x";
  step.diff = "-caf\xE9\n";
  step.script = "printf %s 'caf\xE9'";
  step.batch_words = {"\xFF", "plain"};
  plan.nodes["cu01"].steps.push_back(step);
  plan.failed["n\xFF"] = Error{.fault = Fault::remote, .what = "\x80"};
  const auto json = to_json(plan);
  const auto text = json.dump(2);
  CHECK(text.find("caf\xEF\xBF\xBD") != std::string::npos);
  const auto read = plan_from_json(Json::parse(text));
  REQUIRE(read);
  CHECK(read->nodes.at("cu01").steps[0].script == step.script);
  CHECK(read->nodes.at("cu01").steps[0].batch_words == step.batch_words);

  Facts facts;
  facts.packages["\xFE"] = "\xFD";
  CHECK_FALSE(to_json(facts).dump().empty());
  CHECK(to_json(Value(std::string("\xFF"))).dump() == "\"\xEF\xBF\xBD\"");
}

TEST_CASE("the digest tells plans apart and survives saving; time is not part of it") {
  auto plan = *plan_from_json(document("plan"));
  const auto digest = plan_digest(plan);
  CHECK(digest.size() == 64);
  plan.created = "later";
  plan.digest = digest;
  CHECK(plan_digest(plan) == digest);
  CHECK(plan_digest(*plan_from_json(Json::parse(to_json(plan).dump()))) == digest);
  plan.nodes.begin()->second.steps[1].script += " ";
  CHECK(plan_digest(plan) != digest);
}

TEST_CASE("values of configuration keep their types and order") {
  const Value value(Value::Table{{"z", Value(std::int64_t{3})},
                                 {"a", Value(Value::Array{Value(true), Value(1.5)})},
                                 {"t", Value(std::string("x"))},
                                 {"n", Value()}});
  CHECK(to_json(value).dump() == R"({"z":3,"a":[true,1.5],"t":"x","n":null})");
}
