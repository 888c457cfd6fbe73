/// A small cluster's report with one of everything: a slow node, a failed check, a proof that
/// passed.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "model/report.hpp"

namespace podwright::test {

inline Facts sample_facts(const std::string& name) {
  Facts facts;
  facts.node = name;
  facts.hostname = name;
  facts.os = {.id = "debian",
              .version = "12",
              .codename = "bookworm",
              .name = "Debian GNU/Linux 12 (bookworm)"};
  facts.kernel = "6.1.0-18-amd64";
  facts.arch = "x86_64";
  facts.virtualization = "none";
  facts.product = "ThinkSystem SR675 V3";
  facts.cpu.model = "AMD EPYC 9554 64-Core Processor";
  facts.cpu.sockets = 2;
  facts.cpu.logical = 256;
  facts.memory_bytes = 1536ULL << 30U;
  for (int i = 0; i < 8; ++i)
    facts.gpus.push_back(
        {.vendor = "nvidia", .model = "NVIDIA H100 80GB HBM3", .slot = {}, .device_file = {}});
  facts.hcas.push_back({.name = "mlx5_0",
                        .board = {},
                        .firmware = {},
                        .link_layer = "Ethernet",
                        .state = "4: ACTIVE",
                        .rate_gbps = 100,
                        .netdev = {}});
  return facts;
}

/// Every pair of eight nodes in seven rounds; cu07 sends slowly.
inline FabricReport sample_fabric() {
  FabricReport fabric;
  fabric.rounds = 7;
  for (int a = 1; a <= 8; ++a) {
    for (int b = a + 1; b <= 8; ++b) {
      JudgedPair pair;
      pair.result.round = 1 + (a + b) % 7;
      pair.result.pair = {
          .a = fmt::format("cu{:02}", a), .b = fmt::format("cu{:02}", b), .rail = 0};
      const double jitter = 0.3 * ((a * 7 + b * 3) % 11);
      pair.result.gbps_ab = a == 7 ? 41.0 + 0.1 * jitter : 93.0 + jitter;
      pair.result.gbps_ba = b == 7 ? 41.0 + 0.1 * jitter : 93.2 + 0.8 * jitter;
      pair.gbps = std::min(pair.result.gbps_ab, pair.result.gbps_ba);
      pair.expected_gbps = 92;
      pair.status = pair.gbps < 92 ? Verdict::slow : Verdict::pass;
      fabric.pairs.push_back(pair);
    }
  }
  fabric.probes = static_cast<int>(fabric.pairs.size());
  fabric.verdict.nodes.push_back(
      {.name = "cu07",
       .rail = 0,
       .direction = "tx",
       .cause = "slow",
       .gbps = 41.3,
       .confidence = 0.999,
       .evidence = "sends at best 41.3 of 92.0 Gbit/s with each of 7 partners (cu01, cu02, "
                   "cu03, cu04 and 3 more); others reach 94.4"});
  fabric.verdict.summary = "1 node at fault.";
  fabric.collectives.push_back({.name = "all_reduce",
                                .nodes = 8,
                                .busbw_gbytes_per_s = 10.9,
                                .expected_gbytes_per_s = 10.0});
  return fabric;
}

inline Report sample_report() {
  Report report;
  report.cluster = "pod1";
  report.profile = "debian12-slurm-cpu";
  report.run = "20260131-120000";
  report.created = "2026-01-31T12:41:07.512Z";
  report.version = "0.1.0";
  Plan plan;
  plan.cluster = "pod1";
  plan.profile = "debian12-slurm-cpu";
  Applied applied;
  CheckReport checks;
  for (int i = 0; i <= 8; ++i) {
    Node node;
    node.name = i == 0 ? "head" : fmt::format("cu{:02}", i);
    node.roles = {i == 0 ? "head" : "compute"};
    if (i > 0) node.labels = {{"leaf", i <= 4 ? "l1" : "l2"}};
    report.nodes.push_back(node);
    auto facts = sample_facts(node.name);
    if (i == 0) {
      facts.gpus.clear();
      facts.product = "ThinkSystem SR645 V3";
      facts.memory_bytes = 256ULL << 30U;
    }
    report.facts[node.name] = facts;
    NodePlan& planned = plan.nodes[node.name];
    for (int step = 0; step < 34; ++step)
      planned.steps.push_back(
          {.id = fmt::format("package/p{}", step), .action = "install", .why = "is not installed"});
    applied.nodes[node.name].changed.assign(34, "package/p");
    auto& results = checks.nodes[node.name].checks;
    results.push_back({.id = "cpu.governor",
                       .status = CheckStatus::pass,
                       .observed = "performance",
                       .expected = "performance"});
    results.push_back({.id = "fs.use",
                       .status = CheckStatus::pass,
                       .observed = fmt::format("/ {} %", 20 + i),
                       .expected = "below 80 %"});
    results.push_back({.id = "nv.count",
                       .status = i == 0 ? CheckStatus::skip : CheckStatus::pass,
                       .observed = i == 0 ? "no NVIDIA device" : "8",
                       .expected = i == 0 ? "" : "8"});
    results.push_back({.id = "time.sync",
                       .status = CheckStatus::pass,
                       .observed = "synchronised",
                       .expected = "synchronised"});
  }
  checks.nodes["cu03"].checks[2] = {
      .id = "nv.count",
      .status = CheckStatus::fail,
      .observed = "7 of 8: 0000:9b:00.0 is missing",
      .expected = "8",
      .remedy = "the card has dropped off the bus: reboot, and if it stays away replace it"};
  for (const auto* node : {"cu05", "cu06"}) {
    checks.nodes[node].checks[0] = {.id = "cpu.governor",
                                    .status = CheckStatus::warn,
                                    .observed = "powersave",
                                    .expected = "performance",
                                    .remedy = "cpupower frequency-set -g performance"};
  }
  report.plan = std::move(plan);
  report.applied = std::move(applied);
  report.applied->run = report.run;
  report.fabric = sample_fabric();
  report.checks = std::move(checks);
  report.handoff = HandoffReport{
      .targets = {{.name = "hosts", .status = "ok", .files = {"/etc/hosts"}},
                  {.name = "mpi", .status = "ok", .files = {"/etc/podwright/hostfile"}},
                  {.name = "slurm",
                   .status = "ok",
                   .files = {"/etc/slurm/slurm.conf", "/etc/slurm/gres.conf",
                             "/etc/slurm/cgroup.conf"}}},
      .proofs = {{.name = "srun",
                  .pass = true,
                  .summary = "srun ran on 8 nodes, each answered with its own name",
                  .command = "srun -N 8 hostname",
                  .output = "cu01\ncu02\ncu03\ncu04\ncu05\ncu06\ncu07\ncu08\n"},
                 {.name = "torchrun",
                  .pass = true,
                  .summary = "64 ranks trained 200 steps, the loss fell from 2.31 to 0.42",
                  .command = "sbatch /usr/share/podwright/proof/train.sbatch",
                  .output = "step 0 loss 2.31\nstep 100 loss 0.88\nstep 200 loss 0.42\n"}}};
  return report;
}

/// The same cluster with everything in order.
inline Report sound_report() {
  auto report = sample_report();
  for (auto& [name, node] : report.checks->nodes) {
    for (auto& check : node.checks) {
      if (check.status != CheckStatus::skip)
        check = {
            .id = check.id, .status = CheckStatus::pass, .observed = "as expected", .expected = {}};
    }
  }
  report.fabric->verdict = {.pass = true,
                            .nodes = {},
                            .links = {},
                            .ambiguous = {},
                            .summary = "Every pair reaches what is expected of it."};
  for (auto& pair : report.fabric->pairs) {
    pair.result.gbps_ab = std::max(pair.result.gbps_ab, 93.5);
    pair.result.gbps_ba = std::max(pair.result.gbps_ba, 93.5);
    pair.gbps = std::min(pair.result.gbps_ab, pair.result.gbps_ba);
    pair.status = Verdict::pass;
  }
  return report;
}

}  // namespace podwright::test
