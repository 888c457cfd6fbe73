/// One profile or component, as its file says it: nothing merged yet.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "config/profile_files.hpp"
#include "config/reader.hpp"
#include "model/profile.hpp"

namespace podwright {

/// A name with the place that names it.
struct Mention {
  std::string name;
  SourcePos pos;
};

/// A resource table. What it does not say is left to the declaration that it overrides.
struct Declared {
  Wanted wanted;
  bool says_roles = false;
  bool says_when = false;
  bool says_after = false;
};

struct DeclaredMeasurement {
  MeasurementSpec spec;
  bool says_seconds = false;
  bool says_floor = false;
};

struct DeclaredCheck {
  CheckSpec spec;
  bool says_enabled = false;
};

struct ProfileFile {
  std::string component;  ///< the name that it was included by
  std::string where;
  std::filesystem::path root;  ///< the folder that its name was looked up in; empty: shipped
  bool is_profile = false;
  std::string name;
  std::string summary;
  std::optional<std::vector<std::string>> requires_os;
  std::optional<std::vector<std::string>> requires_arch;
  std::vector<Mention> includes;
  Value::Table vars;
  std::vector<Declared> resources;  ///< in document order
  std::optional<std::string> transport;
  std::optional<double> floor_fraction;
  std::optional<bool> rails_together;
  std::optional<double> oversubscription;
  std::optional<std::string> hardware;
  std::vector<DeclaredMeasurement> measurements;
  std::vector<DeclaredCheck> checks;
  std::optional<std::vector<Mention>> handoff_targets;
  std::vector<std::string> texts;  ///< templates and sources that it brought
};

/// Reads `found`, included as `component`; what is wrong with it goes to `complaints`.
ProfileFile read_profile_file(const FoundText& found, const std::string& component,
                              const Schema& schema, const ProfileFiles& files,
                              Complaints& complaints);

}  // namespace podwright
