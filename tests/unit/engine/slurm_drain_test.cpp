// What failed checks mean for Slurm.
#include <doctest/doctest.h>

#include "engine/slurm_drain.hpp"

namespace podwright {

namespace {

NodeChecks checks(std::vector<CheckResult> results) { return {.checks = std::move(results)}; }
const CheckResult good{.id = "fs.use", .status = CheckStatus::pass, .observed = "/ 40 %", .expected = {}};
const CheckResult full{.id = "fs.use", .status = CheckStatus::fail, .observed = "/ 97 % used\nby \"logs\"", .expected = {}};
const CheckResult broken{.id = "disk.smart", .status = CheckStatus::error, .observed = "smartctl is missing", .expected = {}};
const CheckResult warned{.id = "mem.swap", .status = CheckStatus::warn, .observed = "2 GiB", .expected = {}};

}  // namespace

TEST_CASE("slurm: what scontrol prints of a node") {
  const auto idle = read_slurm_node(
      "NodeName=cu01 Arch=x86_64 CoresPerSocket=1 State=IDLE ThreadsPerCore=1 Version=22.05.8 \n");
  REQUIRE(idle);
  CHECK(idle->state == "IDLE");
  CHECK(idle->reason.empty());
  const auto drained = read_slurm_node(
      "NodeName=cu01 State=IDLE+DRAIN+NOT_RESPONDING ThreadsPerCore=1 Comment=(null) "
      "Reason=podwright: fs.use: / 97 % used [root@2026-11-22T09:00:00]\n");
  REQUIRE(drained);
  CHECK(drained->drained());
  CHECK(drained->reason == "podwright: fs.use: / 97 % used");
  CHECK_FALSE(read_slurm_node("slurm_load_node error: Unable to contact slurm controller"));
}

TEST_CASE("slurm: a failed check drains, once, and the node is given back when all pass") {
  const SlurmNode idle{.state = "IDLE", .reason = {}};
  const auto order = decide_slurm(idle, checks({good, broken, warned, full}));
  REQUIRE(order);
  CHECK(order->state == "DRAIN");
  CHECK(order->reason == "podwright: fs.use: / 97 % used by logs (and 1 more)");
  const SlurmNode drained{.state = "IDLE+DRAIN", .reason = order->reason};
  CHECK_FALSE(decide_slurm(drained, checks({good, broken, warned, full})));
  CHECK(decide_slurm(drained, checks({good, broken}))->reason == "podwright: disk.smart: smartctl is missing");
  const auto back = decide_slurm(drained, checks({good, warned}));
  REQUIRE(back);
  CHECK(back->state == "RESUME");
}

TEST_CASE("slurm: what others drained stays drained, and a healthy node is left alone") {
  const SlurmNode theirs{.state = "MIXED+DRAIN", .reason = "new power supply"};
  CHECK_FALSE(decide_slurm(theirs, checks({full})));
  CHECK_FALSE(decide_slurm(theirs, checks({good})));
  CHECK_FALSE(decide_slurm({.state = "ALLOCATED", .reason = {}}, checks({good, warned})));
  // Slurm keeps the reason of a node that somebody has resumed by hand.
  CHECK_FALSE(decide_slurm({.state = "IDLE", .reason = "podwright: fs.use: old"}, checks({good})));
}

TEST_CASE("slurm: checks that could not be run at all are no health") {
  const SlurmNode drained{.state = "IDLE+DRAIN", .reason = "podwright: x"};
  CHECK_FALSE(decide_slurm(drained, {}));
  CHECK(decide_slurm({.state = "IDLE", .reason = {}}, {.checks = {}, .error = "sh is gone"})->state == "DRAIN");
  const auto long_one = decide_slurm({.state = "IDLE", .reason = {}},
                                     checks({{.id = "x", .status = CheckStatus::fail, .observed = std::string(500, 'y'), .expected = {}}}));
  CHECK(long_one->reason.size() <= 160);
}

}  // namespace podwright
