#include "cli/bundle_words.hpp"

#include <algorithm>
#include <filesystem>

namespace podwright::cli {

std::vector<Option> bundle_options(BundleWords& into) {
  return {list_option("--bundle", "FILE", "install from this bundle and no network; again for the one that it adds to", into.bundles, Completes::file),
          text_option("--pub", "FILE", "the bundle has to be signed by this public key", into.key, Completes::file)};
}

std::string bundle_details() {
  return "With --bundle everything comes from a bundle: it is proven first, the repository lies on the nodes "
         "while the steps run, and the nodes' own package sources are neither read nor changed.";
}

Result<std::optional<OfflineSource>> open_bundle(App& app, const BundleWords& words, Intent& intent) {
  const auto absolute = [](const std::string& file) { return std::filesystem::absolute(file).string(); };
  if (!words.bundles.empty()) {
    intent.bundles.clear();
    std::ranges::transform(words.bundles, std::back_inserter(intent.bundles), absolute);
  }
  if (!words.key.empty()) intent.key = absolute(words.key);
  if (intent.bundles.empty()) {
    if (intent.key.empty()) return std::nullopt;
    return fail(Fault::usage, "--pub says whose bundle it has to be, and there is none", "give --bundle FILE");
  }
  const auto inventory = app.inventory();
  if (!inventory) return fail(inventory.error());
  auto source = open_source(**inventory, intent.bundles.front(), {intent.bundles.begin() + 1, intent.bundles.end()}, intent.key, app.stop());
  if (!source) return fail(source.error());
  return std::move(*source);
}

}  // namespace podwright::cli
