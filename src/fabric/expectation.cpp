#include "fabric/expectation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
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
/// Standard deviations that noise may take a value from the reference, and so below the floor of
/// the line rate, when its kind as a whole is above. Noise beyond `most_noise` excuses nothing
/// more.
constexpr double flutter = 3;
constexpr double most_noise = 0.02;
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
  const auto at = static_cast<std::size_t>(std::lround(share * static_cast<double>(values.size() - 1)));
  std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(at));
  return values[at];
}

/// Standard deviation of what deviates by these amounts, by their median.
double spread(std::vector<double> deviations) {
  constexpr double normal_consistency = 1.4826;
  for (double& deviation : deviations) deviation = std::abs(deviation);
  return normal_consistency * median(deviations);
}

/// By what share of the reference a value must be below it to be an outlier.
double usual_loss(double noise_share) {
  return std::clamp(outlier * noise_share, least_relative_loss, most_relative_loss);
}

/// Shares by which values deviate from `reference`.
std::vector<double> deviations_of(const std::vector<double>& values, double reference) {
  std::vector<double> deviations;
  deviations.reserve(values.size());
  for (const double value : values) deviations.push_back(value / reference - 1);
  return deviations;
}

/// The middle of the healthy values, which alone are left. Faults only take away, so what is far
/// below the middle is left out and the middle is looked for again.
double keep_healthy(std::vector<double>& values) {
  double reference = 0;
  for (int pass = 0; pass < 4; ++pass) {
    reference = median(values);
    if (reference <= 0) return reference;
    const double noise =
        values.size() < enough_samples ? 0 : spread(deviations_of(values, reference));
    const double lowest = reference * (1 - usual_loss(noise));
    if (std::erase_if(values, [&](double value) { return value < lowest; }) == 0) break;
  }
  return reference;
}

/// Sets what is expected, given the noise of this line rate's pairs as a share.
void set_floor(Baseline& baseline, double noise_share, const Options& options) {
  const auto known = options.floors.find(baseline.line_rate);
  const double absolute =
      known != options.floors.end() ? known->second : baseline.line_rate * options.floor_fraction;
  baseline.expected = baseline.floor = absolute;
  baseline.noise = noise_share * baseline.reference;
  if (baseline.reference <= 0) return;
  if (baseline.line_rate > 0 && baseline.samples < enough_samples) return;
  const double relative = baseline.reference * (1 - usual_loss(noise_share));
  const double excused = baseline.reference * (1 - flutter * std::min(noise_share, most_noise));
  const bool kind_is_sound = baseline.reference >= absolute;
  baseline.expected = std::max(relative, absolute);
  baseline.floor = std::max(relative, kind_is_sound ? std::min(absolute, excused) : absolute);
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
  std::map<double, std::vector<double>>
      deviations;  // by line rate: few pairs tell little about noise
  for (auto& [kind, samples] : values) {
    auto& baseline = baselines_[kind];
    baseline.line_rate = std::max(0.0, kind.first);
    baseline.samples = samples.size();
    if (samples.empty()) continue;
    const double best = quantile(samples, 0.9);
    baseline.reference = keep_healthy(samples);
    if (baseline.reference <= 0) continue;
    // Without a line rate nothing else would tell a cluster of slow pairs from one of fast pairs.
    if (kind.first <= 0 && baseline.reference < wide_spread * best) baseline.reference = best;
    std::ranges::copy(deviations_of(samples, baseline.reference),
                      std::back_inserter(deviations[kind.first]));
  }
  for (auto& [kind, baseline] : baselines_) {
    const auto& all = deviations[kind.first];
    set_floor(baseline, all.size() < enough_samples ? 0 : spread(all), options);
  }
}

const Baseline& Expectations::of(const Rail& rail, int a, int b) const {
  return baselines_.at(kind_of(rail, a, b));
}

bool Expectations::rates_missing() const {
  return std::ranges::any_of(baselines_, [](const auto& entry) { return entry.first.first <= 0; });
}

}  // namespace podwright::fabric
