/// The bandwidth matrix as a picture: who sends how fast to whom, sorted by leaf, faults marked.
#pragma once

#include <string>
#include <vector>

#include "model/fabric.hpp"
#include "model/node.hpp"

namespace podwright {

/// An <svg> element for a page, one panel a rail; light and dark, with tooltips and a legend. Rows
/// send, columns receive. More nodes than fit are drawn in blocks, each as bad as its worst pair.
/// Empty when nothing was measured.
std::string svg_heatmap(const FabricReport& report, const std::vector<Node>& nodes);

/// The same for a terminal, in at most `width` columns.
std::string text_heatmap(const FabricReport& report, const std::vector<Node>& nodes, int width,
                         bool color);

}  // namespace podwright
