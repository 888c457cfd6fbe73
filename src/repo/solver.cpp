// The only file that sees libsolv.
#include "repo/solver.hpp"

#include <fmt/format.h>
#include <fnmatch.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <set>
#include <unordered_map>

#include "base/open_file.hpp"
#include "base/text.hpp"
#include "repo/deb822.hpp"
#include "repo/rpm_md.hpp"

// A member of libsolv's Solvable has the name of a C++20 keyword.
#define requires dep_requires
extern "C" {
#include <solv/bitmap.h>
#include <solv/chksum.h>
#include <solv/evr.h>
#include <solv/pool.h>
#include <solv/poolarch.h>
#include <solv/problems.h>
#include <solv/queue.h>
#include <solv/repo.h>
#include <solv/repo_rpmmd.h>
#include <solv/solv_xfopen.h>
#include <solv/solver.h>
}
#undef requires

namespace podwright {

namespace {

/// libsolv's MAPSET, without its narrowing.
void mark(Map& map, Id id) {
  auto& byte = map.map[id >> 3];
  byte = static_cast<unsigned char>(byte | (1U << (static_cast<unsigned>(id) & 7U)));
}

/// libsolv's growing array, with an owner.
class Ids {
 public:
  Ids() { queue_init(&queue_); }
  ~Ids() { queue_free(&queue_); }
  Ids(const Ids&) = delete;
  Ids& operator=(const Ids&) = delete;
  Queue* get() { return &queue_; }
  void push(Id id) { queue_push(&queue_, id); }
  void push(Id first, Id second) { queue_push2(&queue_, first, second); }
  [[nodiscard]] const Id* begin() const { return queue_.elements; }
  [[nodiscard]] const Id* end() const { return queue_.elements + queue_.count; }
  [[nodiscard]] bool empty() const { return queue_.count == 0; }

 private:
  Queue queue_{};
};

/// Debian policy 2.5, the more a system needs it the smaller.
enum Rank : std::uint8_t { required = 1, important, standard, optional_, extra };

Rank rank_of(std::string_view priority) {
  if (priority == "required") return required;
  if (priority == "important") return important;
  if (priority == "standard") return standard;
  if (priority == "extra") return extra;
  return optional_;
}

/// What the solver needs of a stanza of Packages; views into its text.
struct Control {
  std::string_view package{}, version{}, architecture{}, priority{}, essential{};
  std::string_view depends{}, pre_depends{}, provides{}, conflicts{}, breaks{};
  std::string_view recommends{}, suggests{}, replaces{}, enhances{};
};

Control read_control(std::string_view stanza) {
  Control control;
  std::size_t at = 0;
  while (at < stanza.size()) {
    auto end = stanza.find('\n', at);
    if (end == std::string_view::npos) end = stanza.size();
    auto line = stanza.substr(at, end - at);
    const auto from = at;
    at = end + 1;
    if (line.empty() || line.front() == ' ' || line.front() == '\t') continue;
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const auto key = line.substr(0, colon);
    std::string_view* into = nullptr;
    switch (key.size()) {
      case 6: into = key == "Breaks" ? &control.breaks : nullptr; break;
      case 7: into = key == "Package" ? &control.package : key == "Version" ? &control.version : key == "Depends" ? &control.depends : nullptr; break;
      case 8:
        into = key == "Priority"   ? &control.priority
               : key == "Provides" ? &control.provides
               : key == "Suggests" ? &control.suggests
               : key == "Replaces" ? &control.replaces
               : key == "Enhances" ? &control.enhances
                                   : nullptr;
        break;
      case 10: into = key == "Recommends" ? &control.recommends : nullptr; break;
      case 9: into = key == "Essential" ? &control.essential : key == "Conflicts" ? &control.conflicts : nullptr; break;
      case 11: into = key == "Pre-Depends" ? &control.pre_depends : nullptr; break;
      case 12: into = key == "Architecture" ? &control.architecture : nullptr; break;
      default: break;
    }
    if (into == nullptr) continue;
    // A relation may go on in the next line.
    while (at < stanza.size() && (stanza[at] == ' ' || stanza[at] == '\t')) {
      end = stanza.find('\n', at);
      if (end == std::string_view::npos) end = stanza.size();
      at = end + 1;
    }
    *into = trim(stanza.substr(from + colon + 1, end - from - colon - 1));
  }
  return control;
}

int comparison(std::string_view sign) {
  if (sign == "=") return REL_EQ;
  if (sign == ">=") return REL_GT | REL_EQ;
  if (sign == "<=") return REL_LT | REL_EQ;
  if (sign == ">>" || sign == ">") return REL_GT;
  if (sign == "<<" || sign == "<") return REL_LT;
  return 0;
}

Id text_id(Pool* pool, std::string_view text) {
  return pool_strn2id(pool, text.data(), static_cast<unsigned>(text.size()), 1);
}

/// "libfoo:any (>= 1.2)": the architecture is that of the system, so a qualifier says nothing here.
Id relation(Pool* pool, std::string_view text) {
  text = trim(text);
  const auto end = text.find_first_of(" \t\n(:[");
  const auto name = text_id(pool, text.substr(0, end));
  const auto open = text.find('(');
  if (open == std::string_view::npos) return name;
  const auto close = text.find(')', open);
  const auto inside = trim(text.substr(open + 1, close == std::string_view::npos ? close : close - open - 1));
  const auto sign_end = inside.find_first_not_of("<>=");
  const auto flags = comparison(inside.substr(0, sign_end));
  if (flags == 0 || sign_end == std::string_view::npos) return name;
  return pool_rel2id(pool, name, text_id(pool, trim(inside.substr(sign_end))), flags, 1);
}

/// "a | b (>= 1)", the first alternative outermost.
Id alternatives(Pool* pool, std::string_view text) {
  const auto bar = text.find('|');
  const auto first = relation(pool, text.substr(0, bar));
  if (bar == std::string_view::npos) return first;
  return pool_rel2id(pool, first, alternatives(pool, text.substr(bar + 1)), REL_OR, 1);
}

/// "name >= 1.0", as libsolv prints it.
Id rpm_relation(Pool* pool, std::string_view text) {
  const auto parts = words(text);
  if (parts.empty()) return 0;
  const auto flags = parts.size() == 3 ? comparison(parts[1]) : 0;
  const auto name = text_id(pool, parts[0]);
  return flags == 0 ? name : pool_rel2id(pool, name, text_id(pool, parts[2]), flags, 1);
}

Offset relations(Pool* pool, Repo* repo, Offset so_far, std::string_view list) {
  for (const auto part : split(list, ',')) {
    if (trim(part).empty()) continue;
    so_far = repo_addid(repo, so_far, alternatives(pool, part));
  }
  return so_far;
}

/// Gives the names in a relation their numbers.
void mention(Pool* pool, std::string_view list) {
  while (!list.empty()) {
    const auto end = list.find_first_of(",|");
    const auto one = trim(list.substr(0, end));
    if (!one.empty()) text_id(pool, one.substr(0, one.find_first_of(" \t\n(:[")));
    if (end == std::string_view::npos) return;
    list.remove_prefix(end + 1);
  }
}

}  // namespace

struct PackageSolver::Impl {
  Pool* pool = pool_create();
  bool debian = true;
  std::string arch;
  Repo* base = nullptr;
  /// By solvable: its stanza and rank; empty for rpm.
  std::vector<std::string_view> stanzas{};
  std::vector<Rank> ranks{};
  std::map<Id, std::string> provided_by_base{};  ///< the Provides line of an installed one
  std::vector<std::string> repo_names{};
  bool prepared = false;
  std::map<std::string, std::string> prepared_for{};
  Map considered{};

  ~Impl() {
    map_free(&considered);
    pool->considered = nullptr;
    pool_free(pool);
  }
  Impl() { map_init(&considered, 0); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  [[nodiscard]] Solvable* at(Id p) const { return pool_id2solvable(pool, p); }
  [[nodiscard]] std::string name(Id p) const { return pool_id2str(pool, at(p)->name); }
  [[nodiscard]] std::string version(Id p) const { return pool_id2str(pool, at(p)->evr); }
  [[nodiscard]] bool is_base(Id p) const { return base != nullptr && at(p)->repo == base; }

  Repo* new_repo(std::string_view label, int priority) {
    auto* repo = repo_create(pool, repo_names.emplace_back(label).c_str());
    repo->priority = priority;
    prepared = false;
    return repo;
  }

  /// Forgets the packages of a repository that `gone` says yes to.
  template <typename Gone>
  void leave_out(Repo* repo, Gone gone) {
    std::vector<Id> all;
    Id p = 0;
    Solvable* solvable = nullptr;
    FOR_REPO_SOLVABLES(repo, p, solvable) {
      if (gone(p)) all.push_back(p);
    }
    for (const auto one : all) repo_free_solvable(repo, one, 0);
  }

  void note(Id p, std::string_view stanza, Rank rank) {
    if (stanzas.size() <= static_cast<std::size_t>(p)) {
      stanzas.resize(static_cast<std::size_t>(p) + 1);
      ranks.resize(static_cast<std::size_t>(p) + 1, optional_);
    }
    stanzas[static_cast<std::size_t>(p)] = stanza;
    ranks[static_cast<std::size_t>(p)] = rank;
  }
  [[nodiscard]] std::string_view stanza(Id p) const {
    return static_cast<std::size_t>(p) < stanzas.size() ? stanzas[static_cast<std::size_t>(p)] : std::string_view{};
  }
  [[nodiscard]] Rank rank(Id p) const {
    return static_cast<std::size_t>(p) < ranks.size() ? ranks[static_cast<std::size_t>(p)] : optional_;
  }

  Id add_deb(Repo* repo, const Control& control, std::string_view version_text, std::string_view stanza_text) {
    const auto p = repo_add_solvable(repo);
    auto* solvable = at(p);
    solvable->name = text_id(pool, control.package);
    solvable->evr = text_id(pool, version_text);
    solvable->arch = text_id(pool, control.architecture.empty() ? std::string_view("all") : control.architecture);
    const auto requires_all = relations(pool, repo, relations(pool, repo, 0, control.pre_depends), control.depends);
    const auto excluded = relations(pool, repo, relations(pool, repo, 0, control.conflicts), control.breaks);
    // apt numbers names as it first meets them, in this order of fields, and prefers the larger number where
    // nothing else tells providers apart (see providers()).
    for (const auto list : {control.recommends, control.suggests, control.replaces, control.enhances}) mention(pool, list);
    const auto provided = repo_addid(repo, relations(pool, repo, 0, control.provides),
                                     pool_rel2id(pool, at(p)->name, at(p)->evr, REL_EQ, 1));
    solvable = at(p);
    solvable->dep_requires = requires_all;
    solvable->conflicts = excluded;
    solvable->provides = provided;
    note(p, stanza_text, control.essential == "yes" ? required : rank_of(control.priority));
    return p;
  }

  /// Decides which version of a package may be installed, as apt does: one, that of the repository with
  /// the highest priority and then the newest, unless `wanted` asks for another.
  void prepare(const std::map<std::string, std::string>& wanted) {
    if (prepared && prepared_for == wanted) return;
    prepared = true;
    prepared_for = wanted;
    pool->considered = nullptr;
    if (debian) {
      map_free(&considered);
      map_init(&considered, pool->nsolvables);
      std::unordered_map<Id, Id> candidates;
      Id p = 0;
      FOR_POOL_SOLVABLES(p) {
        if (is_base(p)) {
          mark(considered, p);
          continue;
        }
        const auto asked = wanted.empty() ? wanted.end() : wanted.find(name(p));
        if (asked != wanted.end() && version(p) != asked->second &&
            fnmatch(asked->second.c_str(), pool_id2str(pool, at(p)->evr), 0) != 0) {
          continue;
        }
        auto [there, is_new] = candidates.emplace(at(p)->name, p);
        if (is_new) continue;
        const auto* old = at(there->second);
        const auto* now = at(p);
        const auto by_priority = now->repo->priority - old->repo->priority;
        if (by_priority > 0 || (by_priority == 0 && pool_evrcmp(pool, now->evr, old->evr, EVRCMP_COMPARE) > 0)) {
          there->second = p;
        }
      }
      for (const auto& [package, candidate] : candidates) mark(considered, candidate);
      pool->considered = &considered;
    } else {
      pool_addfileprovides(pool);
    }
    pool_createwhatprovides(pool);
  }

  // --- apt's order of preference ---------------------------------------------------------------------

  /// What can be had for one alternative of a dependency, in the order in which apt tries it (CompareProviders
  /// in its depcache.cc): installed ones, packages of that name, those of a higher priority, those whose names
  /// were met last.
  std::vector<Id> providers(Id dependency) {
    std::vector<Id> found;
    Id p = 0, pp = 0;
    FOR_PROVIDES(p, pp, dependency) {
      if (p != SYSTEMSOLVABLE) found.push_back(p);
    }
    Id target = dependency;
    while (ISRELDEP(target)) target = GETRELDEP(pool, target)->name;
    std::ranges::stable_sort(found, {}, [&](Id q) {
      return std::tuple(!is_base(q), at(q)->name != target, int{rank(q)}, -at(q)->name);
    });
    return found;
  }

  std::vector<Id> split_alternatives(Id dependency) const {
    std::vector<Id> all;
    while (ISRELDEP(dependency) && GETRELDEP(pool, dependency)->flags == REL_OR) {
      const auto* relation = GETRELDEP(pool, dependency);
      all.push_back(relation->name);
      dependency = relation->evr;
    }
    all.push_back(dependency);
    return all;
  }

  struct Choice {
    std::set<Id> chosen{};
    std::set<Id> names{};
  };

  bool there(const Choice& choice, Id p) const {
    if (choice.chosen.contains(p)) return true;
    // An installed package that is about to be replaced by another version does not count.
    return is_base(p) && !choice.names.contains(at(p)->name);
  }

  bool satisfied(const Choice& choice, Id dependency) {
    Id p = 0, pp = 0;
    FOR_PROVIDES(p, pp, dependency) {
      if (there(choice, p)) return true;
    }
    return false;
  }

  bool conflicts_with_chosen(const Choice& choice, Id candidate) {
    const auto* solvable = at(candidate);
    if (solvable->conflicts == 0) return false;
    for (const Id* id = solvable->repo->idarraydata + solvable->conflicts; *id != 0; ++id) {
      Id p = 0, pp = 0;
      FOR_PROVIDES(p, pp, *id) {
        if (p != candidate && at(p)->name != solvable->name && there(choice, p)) return true;
      }
    }
    return false;
  }

  /// What apt's MarkInstall would take along: for each dependency that nothing fulfils yet the first
  /// alternative that can be had.
  void choose(Choice& choice, Id p, bool with_dependencies = true) {
    if (!is_base(p)) {
      choice.names.insert(at(p)->name);
      if (!choice.chosen.insert(p).second && with_dependencies && expanded_.contains(p)) return;
    }
    if (!with_dependencies) return;
    expanded_.insert(p);
    const auto* solvable = at(p);
    if (solvable->dep_requires == 0) return;
    std::vector<Id> dependencies;
    for (const Id* id = solvable->repo->idarraydata + solvable->dep_requires; *id != 0; ++id) {
      if (*id != SOLVABLE_PREREQMARKER) dependencies.push_back(*id);
    }
    for (const auto dependency : dependencies) {
      if (satisfied(choice, dependency)) continue;
      Id pick = 0;
      for (const auto alternative : split_alternatives(dependency)) {
        for (const auto candidate : providers(alternative)) {
          if (is_base(candidate) || conflicts_with_chosen(choice, candidate)) continue;
          pick = candidate;
          break;
        }
        if (pick != 0) break;
      }
      if (pick != 0) choose(choice, pick);
    }
  }
  std::set<Id> expanded_{};

  // --- results ---------------------------------------------------------------------------------------

  [[nodiscard]] LockedPackage locked(Id p) const {
    LockedPackage package{.name = name(p),
                          .version = version(p),
                          .arch = pool_id2str(pool, at(p)->arch),
                          .repo = at(p)->repo->name,
                          .path = {},
                          .size = 0,
                          .sha256 = {}};
    if (debian) {
      const auto text = stanza(p);
      package.path = field_of(text, "Filename");
      package.sha256 = field_of(text, "SHA256");
      package.size = static_cast<std::uint64_t>(to_int(field_of(text, "Size")).value_or(0));
    } else {
      unsigned medium = 0;
      const char* path = solvable_lookup_location(at(p), &medium);
      Id kind = 0;
      const char* digest = solvable_lookup_checksum(at(p), SOLVABLE_CHECKSUM, &kind);
      package.path = path == nullptr ? "" : path;
      if (digest != nullptr && kind == REPOKEY_TYPE_SHA256) package.sha256 = digest;
      package.size = solvable_lookup_num(at(p), SOLVABLE_DOWNLOADSIZE, 0);
    }
    return package;
  }

  /// Of "name >= 1" the "name = version" that an installed package answers it with; of a file itself.
  Id provided_name(Id dependency) {
    if (!ISRELDEP(dependency)) return dependency;
    Id p = 0, pp = 0;
    FOR_PROVIDES(p, pp, dependency) {
      if (!is_base(p) || at(p)->provides == 0) continue;
      for (const Id* one = at(p)->repo->idarraydata + at(p)->provides; *one != 0; ++one) {
        if (*one != SOLVABLE_FILEMARKER && pool_match_dep(pool, *one, dependency) != 0) return *one;
      }
    }
    return dependency;
  }

  [[nodiscard]] std::vector<LockedBase> taken_of_base(const std::set<Id>& chosen) {
    std::map<std::string, LockedBase> taken;
    for (const auto p : chosen) {
      const auto* solvable = at(p);
      if (solvable->dep_requires == 0) continue;
      for (const Id* id = solvable->repo->idarraydata + solvable->dep_requires; *id != 0; ++id) {
        if (*id == SOLVABLE_PREREQMARKER) continue;
        Id q = 0, qq = 0, from = 0;
        bool own = false;
        FOR_PROVIDES(q, qq, *id) {
          if (chosen.contains(q)) own = true;
          else if (is_base(q) && from == 0) from = q;
        }
        if (own || from == 0) continue;
        auto& one = taken[name(from)];
        one.name = name(from);
        one.version = version(from);
        const auto text = provided_by_base.find(from);
        if (debian) {
          one.provides = text == provided_by_base.end() ? "" : text->second;
          continue;
        }
        // Files and capabilities are many: only those that are needed.
        const std::string needed = pool_dep2str(pool, provided_name(*id));
        const auto all = lines(one.provides);
        if (std::ranges::find(all, needed) == all.end()) one.provides += needed + "\n";
      }
    }
    std::vector<LockedBase> all;
    for (auto& [key, one] : taken) all.push_back(std::move(one));
    return all;
  }

  Error explain(Solver* solver) {
    std::vector<std::string> reasons;
    for (Id problem = 0; (problem = solver_next_problem(solver, problem)) != 0;) {
      Ids rules;
      solver_findallproblemrules(solver, problem, rules.get());
      for (const auto rule : rules) {
        Id dependency = 0, source = 0, target = 0;
        const auto kind = solver_ruleinfo(solver, rule, &source, &target, &dependency);
        // Jobs say only what was asked for.
        if (kind == SOLVER_RULE_JOB) continue;
        std::string text = solver_problemruleinfo2str(solver, kind, source, target, dependency);
        if (std::ranges::find(reasons, text) == reasons.end()) reasons.push_back(std::move(text));
      }
    }
    if (reasons.empty()) reasons.emplace_back("libsolv does not say why");
    // "nothing provides" is the cause, what it brings about comes after it.
    std::ranges::stable_sort(reasons, {}, [](const auto& text) { return text.find("nothing provides") == std::string::npos; });
    if (reasons.size() > 6) reasons.resize(6);
    return {.fault = Fault::validation,
            .what = "the packages cannot be installed together: " + join(reasons, "; "),
            .hint = "a repository that has what is missing is needed, or another version"};
  }

  Result<std::set<Id>> run(const std::vector<PackageRequest>& wanted) {
    std::map<std::string, std::string> versions;
    for (const auto& one : wanted) {
      if (!one.version.empty()) versions[one.name] = one.version;
    }
    prepare(versions);
    Ids job;
    std::vector<Id> heads;
    std::vector<std::string> missing;
    for (const auto& one : wanted) {
      const auto id = pool_str2id(pool, one.name.c_str(), 0);
      Ids candidates;
      bool installed = false;
      bool other_version = false;
      if (id != 0) {
        Id p = 0, pp = 0;
        FOR_PROVIDES(p, pp, id) {
          if (at(p)->name != id) continue;
          if (!one.version.empty() && version(p) != one.version &&
              fnmatch(one.version.c_str(), pool_id2str(pool, at(p)->evr), 0) != 0) {
            other_version = true;
            continue;
          }
          if (is_base(p)) installed = true;
          candidates.push(p);
        }
        if (candidates.empty() && !other_version) {
          // A name that no package has: one that is provided by a single one is as good, for apt and dnf.
          std::set<std::string> names;
          FOR_PROVIDES(p, pp, id) {
            candidates.push(p);
            names.insert(name(p));
          }
          if (debian && names.size() > 1) {
            return fail(Fault::validation,
                        fmt::format("{} is a virtual package that {} provide", one.name, human_list({names.begin(), names.end()})),
                        "name one of them in the profile");
          }
        }
      }
      if (candidates.empty()) {
        missing.push_back(one.str());
        continue;
      }
      if (!installed) heads.push_back(*candidates.begin());
      job.push(SOLVER_INSTALL | SOLVER_SOLVABLE_ONE_OF, pool_queuetowhatprovides(pool, candidates.get()));
    }
    if (!missing.empty()) {
      return fail(Fault::validation, "no repository has " + human_list(missing),
                  "check the name (podwright profile show), or add the [[repo]] that has it to the profile");
    }
    if (debian) {
      // What apt would take is asked for as it is; only where that is impossible libsolv looks for
      // something else, with apt's choices as the ones that it likes best.
      Choice choice;
      expanded_.clear();
      for (const auto p : heads) choose(choice, p, false);
      for (const auto p : heads) choose(choice, p);
      Ids as_apt;
      for (const auto id : job) as_apt.push(id);
      for (const auto p : choice.chosen) {
        as_apt.push(SOLVER_INSTALL | SOLVER_SOLVABLE, p);
        job.push(SOLVER_FAVOR | SOLVER_SOLVABLE, p);
      }
      if (auto chosen = decide(as_apt)) return chosen;
    }
    return decide(job);
  }

  Result<std::set<Id>> decide(Ids& job) {
    const std::unique_ptr<Solver, decltype(&solver_free)> solver(solver_create(pool), &solver_free);
    solver_set_flag(solver.get(), SOLVER_FLAG_IGNORE_RECOMMENDED, 1);
    solver_set_flag(solver.get(), SOLVER_FLAG_ALLOW_DOWNGRADE, 1);
    if (solver_solve(solver.get(), job.get()) != 0) return fail(explain(solver.get()));
    Ids decisions;
    solver_get_decisionqueue(solver.get(), decisions.get());
    std::set<Id> chosen;
    for (const auto p : decisions) {
      if (p > 0 && p != SYSTEMSOLVABLE && !is_base(p)) chosen.insert(p);
    }
    return chosen;
  }

  Result<Closure> close(const std::vector<PackageRequest>& wanted) {
    const auto chosen = run(wanted);
    if (!chosen) return fail(chosen.error());
    Closure closure;
    for (const auto p : *chosen) {
      closure.packages.push_back(locked(p));
      const auto& last = closure.packages.back();
      if (last.sha256.size() != 64 || last.path.empty()) {
        return fail(Fault::validation, fmt::format("the repository {} does not say where {} {} is, or not its SHA-256",
                                                   last.repo, last.name, last.version),
                    "its metadata has to be made with SHA-256 digests");
      }
    }
    std::ranges::sort(closure.packages, {}, [](const auto& one) { return std::tie(one.name, one.arch, one.version); });
    closure.takes = taken_of_base(*chosen);
    return closure;
  }
};

PackageSolver::PackageSolver(std::string_view packager, std::string_view arch) : impl_(std::make_unique<Impl>()) {
  impl_->debian = packager == "apt";
  impl_->arch = arch;
  pool_setdisttype(impl_->pool, impl_->debian ? DISTTYPE_DEB : DISTTYPE_RPM);
  pool_setarch(impl_->pool, impl_->arch.c_str());
}
PackageSolver::~PackageSolver() = default;
PackageSolver::PackageSolver(PackageSolver&&) noexcept = default;
PackageSolver& PackageSolver::operator=(PackageSolver&&) noexcept = default;

Status PackageSolver::add_packages(std::string_view repo_name, int priority, std::string_view packages) {
  auto* repo = impl_->new_repo(repo_name, priority);
  std::size_t at = 0;
  for (auto stanza = next_stanza(packages, at); !stanza.empty(); stanza = next_stanza(packages, at)) {
    const auto control = read_control(stanza);
    if (control.package.empty() || control.version.empty()) {
      return fail(Fault::validation, fmt::format("the Packages file of {} has an entry without a name or version", repo_name),
                  "its metadata is damaged: fetch it again");
    }
    if (!control.architecture.empty() && control.architecture != "all" && control.architecture != impl_->arch) continue;
    impl_->add_deb(repo, control, control.version, stanza);
  }
  repo_internalize(repo);
  return {};
}

Status PackageSolver::add_rpm_md(std::string_view repo_name, int priority, const std::string& primary,
                                 const std::string& filelists, bool has_modules) {
  auto* repo = impl_->new_repo(repo_name, priority);
  const auto add = [&](const std::string& file, int flags) -> Status {
    const OpenFile stream(solv_xfopen(file.c_str(), "r"));
    if (!stream) return fail(Fault::internal, file + " cannot be read");
    if (repo_add_rpmmd(repo, stream.get(), nullptr, flags) != 0) {
      return fail(Fault::validation, fmt::format("the metadata of {} cannot be read: {}", repo_name, pool_errstr(impl_->pool)),
                  "it is damaged: fetch it again");
    }
    return {};
  };
  if (auto done = add(primary, 0); !done) return done;
  if (!filelists.empty()) {
    if (auto done = add(filelists, REPO_EXTEND_SOLVABLES | REPO_LOCALPOOL); !done) return done;
  }
  repo_internalize(repo);
  if (has_modules) impl_->leave_out(repo, [this](Id p) { return is_modular(impl_->version(p)); });
  return {};
}

Status PackageSolver::add_rpm_md_text(std::string_view repo_name, int priority, const std::string& primary,
                                      const std::set<std::string>& without, const std::string& root) {
  auto* repo = impl_->new_repo(repo_name, priority);
  auto text = primary;
  const OpenFile stream(::fmemopen(text.data(), text.size(), "r"));
  if (!stream || repo_add_rpmmd(repo, stream.get(), nullptr, 0) != 0) {
    return fail(Fault::validation, fmt::format("the metadata of {} cannot be read: {}", repo_name, pool_errstr(impl_->pool)), "it is damaged");
  }
  repo_internalize(repo);
  impl_->leave_out(repo, [&](Id p) {
    unsigned medium = 0;
    const char* path = solvable_lookup_location(impl_->at(p), &medium);
    return path != nullptr && without.contains(root + path);
  });
  return {};
}

Status PackageSolver::set_base(const std::map<std::string, std::string>& installed) {
  auto& impl = *impl_;
  auto* pool = impl.pool;
  // What is known of a package by its name: the very version, else the newest.
  std::unordered_map<Id, Id> known;
  Id p = 0;
  FOR_POOL_SOLVABLES(p) {
    const auto* solvable = impl.at(p);
    const auto mine = installed.find(pool_id2str(pool, solvable->name));
    if (mine == installed.end()) continue;
    auto [there, is_new] = known.emplace(solvable->name, p);
    if (is_new) continue;
    if (impl.version(there->second) == mine->second) continue;
    if (impl.version(p) == mine->second || pool_evrcmp(pool, solvable->evr, impl.at(there->second)->evr, EVRCMP_COMPARE) > 0) {
      there->second = p;
    }
  }
  impl.base = impl.new_repo("installed", 0);
  for (const auto& [name, version] : installed) {
    if (name.find(':') != std::string::npos) continue;  // another architecture's
    const auto id = text_id(pool, name);
    const auto found = known.find(id);
    if (impl.debian) {
      const auto stanza = found == known.end() ? std::string_view{} : impl.stanza(found->second);
      auto control = read_control(stanza);
      if (stanza.empty()) control = {.package = name, .version = version, .architecture = impl.arch};
      const auto q = impl.add_deb(impl.base, control, version, stanza);
      impl.provided_by_base[q] = control.provides;
      continue;
    }
    const auto q = repo_add_solvable(impl.base);
    auto* solvable = impl.at(q);
    solvable->name = id;
    solvable->evr = text_id(pool, version);
    Offset provides = 0;
    if (found != known.end()) {
      const auto* like = impl.at(found->second);
      solvable->arch = like->arch;
      if (like->provides != 0) {
        for (const Id* one = like->repo->idarraydata + like->provides; *one != 0; ++one) {
          if (*one != SOLVABLE_FILEMARKER) provides = repo_addid(impl.base, provides, *one);
        }
      }
    } else {
      solvable->arch = ARCH_NOARCH;
    }
    provides = repo_addid(impl.base, provides, pool_rel2id(pool, solvable->name, solvable->evr, REL_EQ, 1));
    impl.at(q)->provides = provides;
  }
  repo_internalize(impl.base);
  pool_set_installed(pool, impl.base);
  impl.prepared = false;
  return {};
}

Status PackageSolver::set_base(const std::vector<LockedBase>& base) {
  auto& impl = *impl_;
  impl.base = impl.new_repo("installed", 0);
  for (const auto& one : base) {
    if (!impl.debian) {
      const auto q = repo_add_solvable(impl.base);
      impl.at(q)->name = text_id(impl.pool, one.name);
      impl.at(q)->evr = text_id(impl.pool, one.version);
      impl.at(q)->arch = ARCH_NOARCH;
      Offset provides = 0;
      for (const auto line : lines(one.provides)) {
        if (!line.empty()) provides = repo_addid(impl.base, provides, rpm_relation(impl.pool, line));
      }
      provides = repo_addid(impl.base, provides, pool_rel2id(impl.pool, impl.at(q)->name, impl.at(q)->evr, REL_EQ, 1));
      impl.at(q)->provides = provides;
      continue;
    }
    const Control control{.package = one.name, .version = one.version, .architecture = impl.arch, .provides = one.provides};
    const auto q = impl.add_deb(impl.base, control, one.version, {});
    impl.provided_by_base[q] = one.provides;
  }
  repo_internalize(impl.base);
  pool_set_installed(impl.pool, impl.base);
  impl.prepared = false;
  return {};
}

Result<Closure> PackageSolver::minimal(const std::vector<std::string>& others) {
  auto& impl = *impl_;
  const auto* pool = impl.pool;
  impl.prepare({});
  std::set<std::string> names(others.begin(), others.end());
  if (impl.debian) {
    Id p = 0;
    FOR_POOL_SOLVABLES(p) {
      if (impl.rank(p) == required && MAPTST(&impl.considered, p)) names.insert(impl.name(p));
    }
  }
  std::vector<PackageRequest> wanted;
  for (const auto& name : names) {
    const auto id = pool_str2id(impl.pool, name.c_str(), 0);
    // What this release does not have belongs to another one.
    if (id != 0 && *pool_whatprovides_ptr(impl.pool, id) != 0) wanted.push_back({.name = name});
  }
  return impl.close(wanted);
}

Result<Closure> PackageSolver::solve(const std::vector<PackageRequest>& wanted) { return impl_->close(wanted); }

std::vector<std::string> PackageSolver::needed_by(const std::string& name) {
  auto& impl = *impl_;
  const auto* pool = impl.pool;
  impl.prepare({});
  std::set<std::string> names;
  Id p = 0;
  FOR_POOL_SOLVABLES(p) {
    const auto* solvable = impl.at(p);
    if (solvable->dep_requires == 0 || impl.is_base(p)) continue;
    for (const Id* id = solvable->repo->idarraydata + solvable->dep_requires; *id != 0; ++id) {
      for (const auto alternative : impl.split_alternatives(*id)) {
        Id target = alternative;
        while (ISRELDEP(target)) target = GETRELDEP(impl.pool, target)->name;
        if (name == pool_id2str(impl.pool, target)) names.insert(impl.name(p));
      }
    }
  }
  return {names.begin(), names.end()};
}

std::size_t PackageSolver::size() const {
  std::size_t count = 0;
  Id p = 0;
  const auto* pool = impl_->pool;
  FOR_POOL_SOLVABLES(p) ++count;
  return count;
}

}  // namespace podwright
