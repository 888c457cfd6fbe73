/// Large files that a resource brings to its node: an archive, a vendor's installer, an image. The
/// engine puts them there before the step runs; a step only says what it needs.
#pragma once

#include <string>
#include <vector>

#include "catalog/registry.hpp"

namespace podwright {

/// What `url`, `source` and `sha256` name. A copy on the head (`source`) is taken instead of the URL.
Result<Artifact> wanted_artifact(const Wanted& wanted);
/// The same with the names of the fields given; `url_field` may be empty.
Result<Artifact> wanted_artifact(const Wanted& wanted, std::string_view url_field,
                                 std::string_view source_field, std::string_view digest_field);

/// The last part of the artifact's URL or path, without a query: "cuda_12.4.run".
std::string file_name(const Artifact& artifact);
/// sh that sets the shell variable `variable` to the path of the artifact on the node, and ends the
/// step when it did not arrive.
std::string artifact_script(std::string_view variable, const Artifact& artifact);

}  // namespace podwright
