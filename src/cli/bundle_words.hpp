/// What verbs that install from a bundle have in common: --bundle and --pub, and the proof before any node is
/// contacted.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/app.hpp"
#include "cli/command.hpp"
#include "cli/plan_file.hpp"
#include "engine/offline.hpp"

namespace podwright::cli {

/// The words of a command line.
struct BundleWords {
  std::vector<std::string> bundles;
  std::string key;
};

std::vector<Option> bundle_options(BundleWords& into);
/// What is said of --bundle in the help of a verb.
std::string bundle_details();

/// Takes the words into the intent, where they go before what it has, and opens the bundle that it names; nothing
/// when it names none. Whatever is wrong with the bundle is an error, and no node was contacted.
Result<std::optional<OfflineSource>> open_bundle(App& app, const BundleWords& words, Intent& intent);

}  // namespace podwright::cli
