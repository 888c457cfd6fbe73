/// How the world fails: every function that can fail for a reason outside this program returns a
/// Result; exceptions are left for bugs.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace podwright {

/// The name of a node, as cluster.toml gives it ("cu01").
using NodeId = std::string;

/// The kind of failure; it decides the exit code (see cli/exit_code.hpp) and what is retried.
enum class Fault {
  usage,        ///< the command line, cluster.toml or the profile is wrong; nothing was contacted
  unreachable,  ///< no TCP connection, or it was lost
  auth,         ///< host key, login or sudo refused
  timeout,      ///< a deadline passed; `what` names it
  remote,       ///< a command on a node failed
  validation,   ///< measured or checked, and found wanting
  stale,        ///< the node changed since the plan was made
  cancelled,    ///< interrupted by the operator
  internal,     ///< a bug, or this machine (disk, memory)
};

std::string_view to_string(Fault fault);

/// What went wrong, where, and what to do next. Shown to operators as it is.
struct Error {
  Fault fault = Fault::internal;
  std::string what;              ///< one sentence
  std::optional<NodeId> node{};  ///< filled in by the layer that knows it
  std::string step{};            ///< "package/chrony", "probe cpu"; empty when it has no part in it
  std::string hint{};            ///< the remedy, or the next command

  /// "cu01: package/chrony: what (hint)" on one line.
  [[nodiscard]] std::string message() const;
};

template <class T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

/// `return fail(Fault::usage, "…", "…");` reads better than naming tl::unexpected everywhere.
inline tl::unexpected<Error> fail(Fault fault, std::string what, std::string hint = {}) {
  return tl::unexpected(Error{.fault = fault, .what = std::move(what), .hint = std::move(hint)});
}
inline tl::unexpected<Error> fail(Error error) { return tl::unexpected(std::move(error)); }

}  // namespace podwright
