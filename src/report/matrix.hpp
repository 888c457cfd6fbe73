/// The bandwidth matrix that heat maps are drawn from.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "model/fabric.hpp"
#include "model/node.hpp"

namespace podwright {

/// What a cell shows: how far from what is expected.
enum class Heat { none, failed, slow_far, slow_mid, slow_near, good_low, good_mid, good_high };

/// Shares of the expected bandwidth that part the slow ones.
inline constexpr double near_share = 0.85;
inline constexpr double mid_share = 0.60;

struct Cell {
  Heat heat = Heat::none;
  double gbps = 0;
  double expected = 0;
  std::size_t from = 0;  ///< places in Matrix::names: the worst pair of the block
  std::size_t to = 0;
  std::size_t pairs = 0;  ///< measured ones in this cell
  std::string error{};
};

/// A row and column: one node, or a block of neighbours of one leaf.
struct Axis {
  std::string label;
  std::string leaf;
  std::vector<std::size_t> nodes{};  ///< places in Matrix::names
  bool at_fault = false;             ///< one of its nodes is named by the verdict
  bool doubtful = false;             ///< one of its nodes is in an ambiguous set
};

struct Matrix {
  int rail = 0;
  std::vector<std::string> names;
  std::vector<Axis> axes;   ///< sorted by leaf
  std::vector<Cell> cells;  ///< row by row: senders; columns: receivers
  double floor = 0;         ///< lowest and highest expectation of its pairs, Gbit/s
  double top_floor = 0;
  double best = 0;  ///< highest that was measured
  std::vector<const LinkFault*> links;

  [[nodiscard]] const Cell& at(std::size_t row, std::size_t column) const {
    return cells[row * axes.size() + column];
  }
};

/// One matrix a rail. At most `most_axes` rows (64 and more are sensible); neighbours of a leaf are
/// blocked together where there are more nodes, and leaves where there are more leaves.
std::vector<Matrix> matrices_of(const FabricReport& report, const std::vector<Node>& nodes,
                                std::size_t most_axes);

}  // namespace podwright
