#include "fabric/expectation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace podwright::fabric {

namespace {

/// Fewer samples than these have no spread worth speaking of.
constexpr std::size_t enough_samples = 8;
/// A loss below this share of the reference is not called slow by comparison alone.
constexpr double least_relative_loss = 0.08;
constexpr double most_relative_loss = 0.30;
/// Standard deviations from the reference at which a value is an outlier.
constexpr double outlier = 5;
/// Standard deviations that a value below the floor may be explained by noise, when its kind as a
/// whole is above the floor. Noise beyond `most_noise` of the reference excuses nothing.
constexpr double flutter = 4;
constexpr double most_noise = 0.03;
/// The best tenth reaches so much more than the median: most pairs are slow, not a few fast.
constexpr double wide_spread = 0.85;

double line_rate(const Rail& rail, int a, int b) {
  return std::min(rail.ports[static_cast<std::size_t>(a)]->rate_gbps,
                  rail.ports[static_cast<std::size_t>(b)]->rate_gbps);
}

std::pair<double, bool> kind_of(const Rail& rail, int a, int b) {
  return {line_rate(rail, a, b), rail.leaf_of(a) != rail.leaf_of(b)};
}

double quantile(std::vector<double>& values, double share) {
  const auto at = static_cast<std::size_t>(share * static_cast<double>(values.size() - 1) + 0.5);
  std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(at));
  return values[at];
}

/// Standard deviation by the median absolute deviation from `middle`.
double spread(const std::vector<double>& values, double middle) {
  constexpr double normal_consistency = 1.4826;
  std::vector<double> deviations;
  deviations.reserve(values.size());
  for (const double value : values) deviations.push_back(std::abs(value - middle));
  return normal_consistency * median(deviations);
}

double usual_loss(double reference, double noise) {
  return std::clamp(outlier * noise / reference, least_relative_loss, most_relative_loss);
}

/// Reference and noise of the healthy ones. Faults only take away, so what is far below the middle
/// is left out and the middle is looked for again.
void describe_healthy(std::vector<double> values, Baseline& baseline) {
  for (int pass = 0; pass < 4; ++pass) {
    baseline.reference = median(values);
    baseline.noise = values.size() < enough_samples ? 0 : spread(values, baseline.reference);
    if (baseline.reference <= 0) return;
    const double lowest = baseline.reference * (1 - usual_loss(baseline.reference, baseline.noise));
    if (std::erase_if(values, [&](double value) { return value < lowest; }) == 0) return;
  }
}

Baseline baseline_of(double rate, std::vector<double>& values, double floor_fraction) {
  Baseline baseline{.line_rate = rate, .samples = values.size()};
  const double absolute = rate * floor_fraction;
  baseline.floor = absolute;
  if (values.empty()) return baseline;
  describe_healthy(values, baseline);
  // Without a line rate nothing else would tell a cluster of slow pairs from one of fast pairs.
  if (rate <= 0) {
    const double best = quantile(values, 0.9);
    if (baseline.reference < wide_spread * best) baseline.reference = best;
  }
  if (baseline.reference <= 0 || (rate > 0 && values.size() < enough_samples)) return baseline;

  const double relative = baseline.reference * (1 - usual_loss(baseline.reference, baseline.noise));
  const double excused =
      baseline.reference - flutter * std::min(baseline.noise, most_noise * baseline.reference);
  const bool kind_is_sound = baseline.reference >= absolute;
  baseline.floor = std::max(relative, kind_is_sound ? std::min(absolute, excused) : absolute);
  return baseline;
}

}  // namespace

double median(std::vector<double>& values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  if (values.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

bool measured(const PairResult& result) {
  return result.error.empty() && std::isfinite(result.gbps_ab) && std::isfinite(result.gbps_ba) &&
         result.gbps_ab >= 0 && result.gbps_ba >= 0;
}

const Rail& rail_of(std::span<const Rail> rails, int number) {
  const auto found = std::ranges::find(rails, number, &Rail::rail);
  if (found == rails.end())
    throw std::invalid_argument(fmt::format("a result of rail {}, which no end point has", number));
  return *found;
}

Oriented orient(const Rail& rail, const Pair& pair) {
  const auto a = rail.by_node.find(pair.a);
  const auto b = rail.by_node.find(pair.b);
  if (a == rail.by_node.end() || b == rail.by_node.end() || a->second == b->second) {
    throw std::invalid_argument(
        fmt::format("a result of {} and {} on rail {}, which are no pair of end points", pair.a,
                    pair.b, pair.rail));
  }
  if (a->second < b->second) return {.a = a->second, .b = b->second};
  return {.a = b->second, .b = a->second, .swapped = true};
}

Expectations::Expectations(std::span<const Rail> rails, std::span<const PairResult> results,
                           const Options& options) {
  std::map<std::pair<double, bool>, std::vector<double>> values;
  for (const auto& result : results) {
    const auto& rail = rail_of(rails, result.pair.rail);
    const auto [a, b, swapped] = orient(rail, result.pair);
    auto& kind = values[kind_of(rail, a, b)];
    if (!measured(result)) continue;
    kind.push_back(result.gbps_ab);
    kind.push_back(result.gbps_ba);
  }
  for (auto& [kind, samples] : values) {
    baselines_[kind] = baseline_of(kind.first, samples, options.floor_fraction);
  }
}

const Baseline& Expectations::of(const Rail& rail, int a, int b) const {
  return baselines_.at(kind_of(rail, a, b));
}

bool Expectations::rates_missing() const {
  return std::ranges::any_of(baselines_, [](const auto& entry) { return entry.first.first <= 0; });
}

}  // namespace podwright::fabric
