/// How the ranks of a collective are started from the head: through Slurm, or by mpirun over the training
/// user's ssh. Shared by the measurements and by the proof of the hand-off.
#pragma once

#include <string>
#include <string_view>

namespace podwright::launch {

struct Launch {
  std::string hosts;      ///< "cu01,cu02": the names by which Slurm and ssh know them
  std::size_t nodes = 0;
  int devices = 1;        ///< ranks on each node; more than one: a GPU for each
  std::string user;       ///< who runs it; empty: root
  int seconds = 180;      ///< a run is stopped after these
  std::string rank;       ///< sh that runs one rank
  std::string carried;    ///< a file of the head that the ranks find at $copy; empty: none
};

/// sh that sets what the two below need. Goes first.
std::string preparation(const Launch& launch);
/// sh that runs all ranks; its exit status is the launcher's, its output theirs with a prefix.
std::string_view through_slurm();
std::string_view through_ssh();

}  // namespace podwright::launch
