/// What has to be installed so that packages work, chosen as the distribution's own tool would:
/// libsolv decides what is possible; apt's order of preference tells it what to try first.
/// The only place that knows libsolv.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "model/lock.hpp"

namespace podwright {

/// A package to be installed; `version` may be empty, exact, or a pattern like "4.3*".
struct PackageRequest {
  std::string name;
  std::string version{};
  /// "munge", "munge=0.5.15*"
  [[nodiscard]] std::string str() const { return version.empty() ? name : name + "=" + version; }
  auto operator<=>(const PackageRequest&) const = default;  // NOLINT(modernize-use-nullptr): clang-tidy 14 means the 0 that the compiler compares with
};

/// Packages that are there, and how they came to be known.
struct Closure {
  std::vector<LockedPackage> packages;  ///< sorted by name and architecture
  std::vector<LockedBase> takes;        ///< of the base: what the packages need of it, sorted
};

/// The packages of an operating system and architecture, and what they need. Not for several threads.
class PackageSolver {
 public:
  /// `packager` is apt or rpm, `arch` as the packager calls it.
  PackageSolver(std::string_view packager, std::string_view arch);
  ~PackageSolver();
  PackageSolver(PackageSolver&&) noexcept;
  PackageSolver& operator=(PackageSolver&&) noexcept;

  /// A Packages file. The text has to live as long as this. Of two repositories that have a package
  /// the one with the higher priority is asked; of equals the newer version counts.
  Status add_packages(std::string_view repo, int priority, std::string_view packages);
  Status add_packages(std::string_view repo, int priority, std::string&& packages) = delete;
  /// primary.xml of an rpm-md repository, and filelists.xml where packages need files that primary
  /// leaves out; compressed files are known by their names. Where the repository `has_modules`, packages
  /// of module streams are left out, as dnf hides those of streams that nobody has enabled. It does show
  /// a default stream; EL 9 and 10 and Fedora define none, EL 8 does.
  Status add_rpm_md(std::string_view repo, int priority, const std::string& primary,
                    const std::string& filelists = {}, bool has_modules = false);
  /// The same of a text; packages that lie at one of `without` are left out, where `root` is put
  /// before each location.
  Status add_rpm_md_text(std::string_view repo, int priority, const std::string& primary,
                         const std::set<std::string>& without, const std::string& root);

  /// The base: name -> version of what is installed, as Facts::packages has it. What the repositories
  /// do not have provides nothing but itself.
  Status set_base(const std::map<std::string, std::string>& installed);
  /// The base as a lock recorded it.
  Status set_base(const std::vector<LockedBase>& base);
  /// What a freshly bootstrapped system of these repositories has: packages of priority required and
  /// those of `others` that there are, and what they need. For rpm: `others` alone.
  Result<Closure> minimal(const std::vector<std::string>& others);

  /// What has to be added to the base. The error names what is missing, and what needs it.
  Result<Closure> solve(const std::vector<PackageRequest>& wanted);

  /// Names of the packages that need `name` directly, sorted.
  [[nodiscard]] std::vector<std::string> needed_by(const std::string& name);
  [[nodiscard]] std::size_t size() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace podwright
