/// Model <-> JSON: the documents of the command line and of the run's folder. Texts that are not
/// UTF-8 are made so (U+FFFD), so that dump() never throws; scripts, which must stay exact, are
/// then written as {"base64": "…"}.
#pragma once

#include "base/json_fwd.hpp"
#include "base/result.hpp"
#include "model/check.hpp"
#include "model/fabric.hpp"
#include "model/facts.hpp"
#include "model/node.hpp"
#include "model/plan.hpp"
#include "model/report.hpp"
#include "model/value.hpp"

namespace podwright {

Json to_json(const Value& value);
Json to_json(const Error& error);
Json to_json(const Facts& facts);
Json to_json(const Node& node);
Json to_json(const Step& step);
Json to_json(const Plan& plan);
Json to_json(const Applied& applied);
Json to_json(const FabricReport& report);
Json to_json(const CheckReport& report);
Json to_json(const HandoffReport& report);
Json to_json(const Report& report);

/// SHA-256 over everything of a plan but its time and the digest itself.
std::string plan_digest(const Plan& plan);

/// Reading back what was saved; a document of another shape is an error that names the key.
Result<Node> node_from_json(const Json& json);
Result<Error> error_from_json(const Json& json);
Result<Facts> facts_from_json(const Json& json);
Result<Plan> plan_from_json(const Json& json);
Result<Applied> applied_from_json(const Json& json);
Result<FabricReport> fabric_from_json(const Json& json);
Result<CheckReport> checks_from_json(const Json& json);
Result<HandoffReport> handoff_from_json(const Json& json);
Result<Report> report_from_json(const Json& json);

}  // namespace podwright
