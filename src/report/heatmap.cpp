#include "report/heatmap.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/text.hpp"
#include "report/digest.hpp"
#include "report/layout.hpp"
#include "report/matrix.hpp"

namespace podwright {

namespace {

// --- a page
// ----------------------------------------------------------------------------------------

/// More rows are no longer seen apart on a page.
constexpr std::size_t most_svg_axes = 96;
/// Side of a matrix that is filled, in pixels, and the limits of a cell's.
constexpr double wanted_side = 620;
constexpr double wanted_side_of_several = 380;
constexpr double smallest_cell = 5;
constexpr double largest_cell = 46;
/// A cell has room for its figure.
constexpr double smallest_figure_cell = 34;
constexpr double leaf_gap = 4;
/// Rows that still have room for their names.
constexpr double smallest_named_cell = 11;
constexpr std::size_t longest_label = 16;
constexpr double letter_width = 6.3;

// Blue against orange is told apart with every common colour blindness, and in print by its depth;
// what is slow or failed bears a mark besides.
constexpr std::string_view style =
    ".hm{--h0:#eceff3;--h1:#20242b;--h2:#a63a00;--h3:#e8710a;--h4:#fdbb6b;--h5:#a8cdea;--h6:#"
    "5b9fd6;--h7:#1f6fb2;"
    "--hx:#fff;--hm:#c2410c;--hi:#1c2430;--hd:#5c6673;font:11px system-ui,-apple-system,'Segoe "
    "UI',sans-serif}"
    "@media(prefers-color-scheme:dark){.hm{--h0:#262c35;--h1:#f4f6f8;--hx:#14181d;--hm:#ff9a5c;--"
    "hi:#e6eaf0;--hd:#9aa5b3}}"
    "@media print{.hm{--h0:#eceff3;--h1:#20242b;--hx:#fff;--hm:#c2410c;--hi:#1c2430;--hd:#5c6673}}"
    ".hm text{fill:var(--hi)}.hm .d{fill:var(--hd)}.hm .m{fill:var(--hm);font-weight:700}.hm "
    ".t{font-size:12px;font-weight:600}"
    ".hm .h0{fill:var(--h0)}.hm .h1{fill:var(--h1)}.hm .h2{fill:var(--h2)}.hm "
    ".h3{fill:var(--h3)}.hm .h4{fill:var(--h4)}"
    ".hm .h5{fill:var(--h5)}.hm .h6{fill:var(--h6)}.hm .h7{fill:var(--h7)}"
    ".hm .v{text-anchor:middle;font-variant-numeric:tabular-nums}.hm .v5{fill:#0c2a44}.hm "
    ".v4{fill:#3d1600}"
    ".hm .v6,.hm .v7,.hm .v3,.hm .v2{fill:#fff}.hm .v6,.hm .v3{fill:#08121d}"
    ".hm .x{stroke:var(--hx);stroke-width:1.6;fill:none}.hm "
    ".s{stroke:#3d1600;stroke-width:1.2;fill:none}"
    ".hm .l{fill:none;stroke:var(--hm);stroke-width:2;stroke-dasharray:5 3}";

std::string escaped(std::string_view text) {
  std::string safe;
  for (const char c : one_line(text)) {
    switch (c) {
      case '&':
        safe += "&amp;";
        break;
      case '<':
        safe += "&lt;";
        break;
      case '>':
        safe += "&gt;";
        break;
      case '"':
        safe += "&quot;";
        break;
      case '\'':
        safe += "&#39;";
        break;
      default:
        safe += c;
    }
  }
  return safe;
}

/// A coordinate, short.
std::string px(double value) { return fmt::format("{:g}", std::round(value * 10) / 10); }

/// What the pointer shows over a cell.
std::string tooltip(const Matrix& matrix, const Cell& cell) {
  auto text = fmt::format("{} → {}: ", matrix.names[cell.from], matrix.names[cell.to]);
  if (cell.heat == Heat::failed) {
    text += "failed" + (cell.error.empty() ? "" : ": " + cell.error);
  } else {
    text += fmt::format("{:.1f} Gbit/s, expected {:.1f}", cell.gbps, cell.expected);
  }
  if (cell.pairs > 1) text += fmt::format(" (the worst of {} measured here)", cell.pairs);
  return text;
}

std::string range_text(double low, double high) {
  return std::abs(high - low) < 0.05 ? fmt::format("{:.1f}", low)
                                     : fmt::format("{:.1f} to {:.1f}", low, high);
}

/// One matrix on the page, from its own upper left corner.
class Panel {
 public:
  Panel(const Matrix& matrix, bool several_rails) : matrix_(matrix), several_rails_(several_rails) {
    const auto count = static_cast<double>(matrix.axes.size());
    const double side = several_rails ? wanted_side_of_several : wanted_side;
    cell_ = std::clamp(std::floor(side / std::max(1.0, count)), smallest_cell, largest_cell);
    named_ = cell_ >= smallest_named_cell;
    bool leaves = false;
    std::size_t longest = 0;
    double at = 0;
    for (std::size_t i = 0; i < matrix.axes.size(); ++i) {
      if (i > 0 && matrix.axes[i].leaf != matrix.axes[i - 1].leaf) at += leaf_gap;
      offsets_.push_back(at);
      at += cell_;
      leaves = leaves || !matrix.axes[i].leaf.empty();
      if (named_ || matrix.axes[i].at_fault)
        longest = std::max(longest, layout::width_of(label(i)) + (matrix.axes[i].at_fault ? 2 : 0));
    }
    side_ = at;
    const double labels = letter_width * static_cast<double>(longest) + 20;
    leaf_band_ = leaves ? 18 : 0;
    left_ = labels + leaf_band_;
    top_ = labels + leaf_band_ + (several_rails ? 24 : 0);
  }

  [[nodiscard]] double width() const { return left_ + side_ + 8; }
  [[nodiscard]] double height() const { return top_ + side_ + 8; }

  [[nodiscard]] std::string svg() const {
    std::string out;
    if (several_rails_)
      out += fmt::format("<text class=\"t\" x=\"{}\" y=\"14\">Rail {}</text>", px(left_),
                         matrix_.rail);
    out += leaf_names() + labels() + cells() + link_frames();
    return out;
  }

 private:
  [[nodiscard]] std::string label(std::size_t axis) const {
    return layout::shortened(matrix_.axes[axis].label, longest_label);
  }

  [[nodiscard]] std::string labels() const {
    std::string out;
    // Names beside each other need room: where rows are thin, only those at fault are named.
    double last = -100;
    for (std::size_t i = 0; i < matrix_.axes.size(); ++i) {
      const auto& axis = matrix_.axes[i];
      const double middle = offsets_[i] + cell_ / 2;
      const bool marked = axis.at_fault || axis.doubtful;
      if (!named_ && !(axis.at_fault && middle - last >= 11)) continue;
      last = middle;
      const auto mark = axis.at_fault ? "▲ " : axis.doubtful ? "? " : "";
      const auto text = mark + escaped(label(i));
      const auto tip =
          label(i) == axis.label ? std::string{} : "<title>" + escaped(axis.label) + "</title>";
      const auto kind = marked ? " class=\"m\"" : "";
      out += fmt::format("<text{} x=\"{}\" y=\"{}\" text-anchor=\"end\">{}{}</text>", kind,
                         px(left_ - 5), px(top_ + middle + 3.8), text, tip);
      out += fmt::format("<text{} transform=\"translate({} {})rotate(-90)\">{}{}</text>", kind,
                         px(left_ + middle + 3.8), px(top_ - 5), text, tip);
    }
    return out;
  }

  /// First and last row of each leaf.
  template <class Take>
  void each_leaf(Take take) const {
    for (std::size_t begin = 0; begin < matrix_.axes.size();) {
      std::size_t end = begin + 1;
      while (end < matrix_.axes.size() && matrix_.axes[end].leaf == matrix_.axes[begin].leaf) ++end;
      if (!matrix_.axes[begin].leaf.empty()) take(begin, end - 1);
      begin = end;
    }
  }

  [[nodiscard]] std::string leaf_names() const {
    std::string out;
    each_leaf([&](std::size_t begin, std::size_t end) {
      const double length = offsets_[end] + cell_ - offsets_[begin];
      const double middle = offsets_[begin] + length / 2;
      const auto room = static_cast<std::size_t>(length / letter_width);
      if (room < 2) return;
      const auto name = escaped(layout::shortened(one_line(matrix_.axes[begin].leaf), room));
      out += fmt::format(
          "<text class=\"d\" text-anchor=\"middle\" transform=\"translate(11 "
          "{})rotate(-90)\">{}</text>",
          px(top_ + middle), name);
      out +=
          fmt::format("<text class=\"d\" text-anchor=\"middle\" x=\"{}\" y=\"{}\">{}</text>",
                      px(left_ + middle), px(top_ - (top_ - (several_rails_ ? 24 : 0)) + 11), name);
    });
    return out;
  }

  [[nodiscard]] std::string cells() const {
    const double size = cell_ - (cell_ >= 8 ? 1 : 0.4);
    std::string none;  // in one path: most cells of a quick run are not measured
    std::string out;
    std::string marks;
    for (std::size_t row = 0; row < matrix_.axes.size(); ++row) {
      for (std::size_t column = 0; column < matrix_.axes.size(); ++column) {
        const auto& cell = matrix_.at(row, column);
        const double x = left_ + offsets_[column];
        const double y = top_ + offsets_[row];
        if (cell.heat == Heat::none) {
          if (row != column || matrix_.axes[row].nodes.size() > 1) {
            none += fmt::format("M{} {}h{}v{}h-{}z", px(x), px(y), px(size), px(size), px(size));
          }
          continue;
        }
        out += fmt::format(
            "<rect class=\"h{}\" x=\"{}\" y=\"{}\" width=\"{}\" "
            "height=\"{}\"><title>{}</title></rect>",
            static_cast<int>(cell.heat), px(x), px(y), px(size), px(size),
            escaped(tooltip(matrix_, cell)));
        marks += mark(cell, x, y, size);
      }
    }
    return "<path class=\"h0\" d=\"" + none + "\"/>" + out + "<g pointer-events=\"none\">" + marks +
           "</g>";
  }

  /// The figure of a cell that has room for it, and the mark of one that is slow or failed.
  [[nodiscard]] std::string mark(const Cell& cell, double x, double y, double size) const {
    const double inset = size * 0.28;
    const double stroke = size - 2 * inset;
    if (cell.heat == Heat::failed) {
      return fmt::format("<path class=\"x\" d=\"M{0} {1}l{2} {2}m0 -{2}l-{2} {2}\"/>",
                         px(x + inset), px(y + inset), px(stroke));
    }
    const bool slow =
        cell.heat == Heat::slow_far || cell.heat == Heat::slow_mid || cell.heat == Heat::slow_near;
    std::string out;
    if (cell_ >= smallest_figure_cell) {
      out = fmt::format("<text class=\"v v{}\" x=\"{}\" y=\"{}\">{:.{}f}</text>",
                        static_cast<int>(cell.heat), px(x + size / 2), px(y + size / 2 + 4),
                        cell.gbps, cell.gbps < 1000 ? 1 : 0);
      if (slow) {
        out += fmt::format("<path fill=\"#fff\" d=\"M{} {}h-9l9 9z\"/>", px(x + size), px(y));
      }
    } else if (slow) {
      out = fmt::format("<path class=\"s\" d=\"M{} {}l{} -{}\"/>", px(x + inset),
                        px(y + size - inset), px(stroke), px(stroke));
    }
    return out;
  }

  [[nodiscard]] std::string link_frames() const {
    std::string out;
    const auto leaf_of = [](const std::string& name) {
      constexpr std::string_view prefix = "leaf:";
      return name.starts_with(prefix) ? name.substr(prefix.size()) : name;
    };
    for (const auto* link : matrix_.links) {
      each_leaf([&](std::size_t row, std::size_t row_end) {
        each_leaf([&](std::size_t column, std::size_t column_end) {
          const auto& a = matrix_.axes[row].leaf;
          const auto& b = matrix_.axes[column].leaf;
          const bool there = a == leaf_of(link->a) && b == leaf_of(link->b);
          const bool back = b == leaf_of(link->a) && a == leaf_of(link->b);
          if (!there && !back) return;
          out += fmt::format(
              "<rect class=\"l\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" "
              "pointer-events=\"none\"/>",
              px(left_ + offsets_[column] - 1.5), px(top_ + offsets_[row] - 1.5),
              px(offsets_[column_end] + cell_ - offsets_[column] + 2),
              px(offsets_[row_end] + cell_ - offsets_[row] + 2));
        });
      });
    }
    return out;
  }

  const Matrix& matrix_;
  bool several_rails_;
  double cell_ = 0;
  bool named_ = false;
  std::vector<double> offsets_;
  double side_ = 0;
  double left_ = 0;
  double top_ = 0;
  double leaf_band_ = 0;
};

struct LegendEntry {
  std::string swatch;  ///< SVG in a box of 14 by 12
  std::string text;
};

std::vector<LegendEntry> legend_of(const std::vector<Matrix>& matrices,
                                   const FabricVerdict& verdict) {
  double floor = matrices.front().floor;
  double top_floor = 0;
  double best = 0;
  bool blocks = false;
  bool doubtful = false;
  for (const auto& matrix : matrices) {
    floor = std::min(floor, matrix.floor);
    top_floor = std::max(top_floor, matrix.top_floor);
    best = std::max(best, matrix.best);
    for (const auto& axis : matrix.axes) {
      blocks = blocks || axis.nodes.size() > 1;
      doubtful = doubtful || axis.doubtful;
    }
  }
  const auto box = [](int heat, std::string_view mark = {}) {
    return fmt::format("<rect class=\"h{}\" width=\"14\" height=\"12\"/>{}", heat, mark);
  };
  constexpr std::string_view slash = "<path class=\"s\" d=\"M4 9l6 -6\"/>";
  constexpr std::string_view cross = "<path class=\"x\" d=\"M4 3l6 6m0 -6l-6 6\"/>";
  std::vector<LegendEntry> entries;
  const auto reached =
      best > top_floor ? range_text(floor, best) : range_text(floor, top_floor) + " and more";
  entries.push_back({box(5) + "<rect class=\"h6\" x=\"14\" width=\"14\" height=\"12\"/><rect "
                              "class=\"h7\" x=\"28\" width=\"14\" height=\"12\"/>",
                     fmt::format("as expected: {} Gbit/s", reached)});
  entries.push_back(
      {box(4, slash), fmt::format("slow: {:.0f} to 100 % of the floor", near_share * 100)});
  entries.push_back(
      {box(3, slash), fmt::format("{:.0f} to {:.0f} %", mid_share * 100, near_share * 100)});
  entries.push_back({box(2, slash), fmt::format("below {:.0f} %", mid_share * 100)});
  entries.push_back({box(1, cross), "failed"});
  entries.push_back({box(0), "not measured"});
  if (!verdict.nodes.empty())
    entries.push_back({"<text class=\"m\" x=\"1\" y=\"10\">▲</text>", "node at fault"});
  if (doubtful) entries.push_back({"<text class=\"m\" x=\"3\" y=\"10\">?</text>", "undecided"});
  if (!verdict.links.empty()) {
    entries.push_back({"<rect class=\"l\" x=\"1\" y=\"1\" width=\"14\" height=\"10\"/>",
                       "path between leaves at fault"});
  }
  if (blocks) entries.push_back({{}, "a cell is a block of nodes, as bad as its worst pair"});
  return entries;
}

/// The legend in lines of at most `width`, and its height.
std::pair<std::string, double> legend(const std::vector<LegendEntry>& entries, double top,
                                      double width) {
  constexpr double line = 20;
  std::string out;
  double x = 0;
  double y = top;
  for (const auto& entry : entries) {
    const double swatch = entry.swatch.empty() ? 0 : (&entry == &entries.front() ? 48 : 20);
    const double length =
        swatch + letter_width * static_cast<double>(layout::width_of(entry.text)) + 16;
    if (x > 0 && x + length > width) {
      x = 0;
      y += line;
    }
    out += fmt::format("<g transform=\"translate({} {})\">{}<text x=\"{}\" y=\"10\">{}</text></g>",
                       px(x), px(y), entry.swatch, px(swatch), escaped(entry.text));
    x += length;
  }
  return {out, y + line - top};
}

// --- a terminal
// ------------------------------------------------------------------------------------

constexpr std::size_t most_text_axes = 64;

std::string_view glyph(Heat heat) {
  switch (heat) {
    case Heat::none:
      return "·";
    case Heat::failed:
      return "✗";
    case Heat::slow_far:
      return "▁";
    case Heat::slow_mid:
      return "▃";
    case Heat::slow_near:
      return "▅";
    case Heat::good_low:
    case Heat::good_mid:
    case Heat::good_high:
      return "█";
  }
  return "·";
}

std::string_view attributes(Heat heat) {
  switch (heat) {
    case Heat::none:
      return "2";
    case Heat::failed:
      return "1;31";
    case Heat::slow_far:
    case Heat::slow_mid:
    case Heat::slow_near:
      return "1;33";
    case Heat::good_low:
    case Heat::good_mid:
    case Heat::good_high:
      return "34";
  }
  return "";
}

/// The matrix with numbers over its columns: row 12 is column 12.
std::string text_panel(const Matrix& matrix, std::size_t width, bool color) {
  const auto count = matrix.axes.size();
  const auto digits = fmt::formatted_size("{}", count);
  std::size_t longest = 0;
  for (const auto& axis : matrix.axes) longest = std::max(longest, layout::width_of(axis.label));
  const std::size_t around = 2 + digits + 1 + 2 + 1;
  const bool spread = around + std::min<std::size_t>(longest, 12) + 2 * count <= width;
  const std::size_t cells = spread ? 2 * count : count;
  const std::size_t room = width > around + cells ? width - around - cells : 4;
  const std::size_t label = std::clamp<std::size_t>(longest, 4, std::max<std::size_t>(4, room));
  std::string out;
  for (std::size_t digit = 0; digit < digits; ++digit) {
    std::string line(around + label - 1, ' ');
    for (std::size_t column = 0; column < count; ++column) {
      const auto number = fmt::format("{:>{}}", column + 1, digits);
      if (spread) line += ' ';
      line += number[digit];
    }
    out += layout::styled(line, "2", color) + "\n";
  }
  for (std::size_t row = 0; row < count; ++row) {
    const auto& axis = matrix.axes[row];
    const auto mark = axis.at_fault ? "!" : axis.doubtful ? "?" : " ";
    const auto name = fmt::format("  {:>{}} {}", row + 1, digits,
                                  layout::padded(layout::shortened(axis.label, label), label));
    out += layout::styled(name + " " + mark, axis.at_fault || axis.doubtful ? "1;33" : "", color);
    for (std::size_t column = 0; column < count; ++column) {
      const auto& cell = matrix.at(row, column);
      if (spread) out += ' ';
      const bool itself = row == column && cell.heat == Heat::none;
      out += itself ? " " : layout::styled(glyph(cell.heat), attributes(cell.heat), color);
    }
    while (out.ends_with(' ')) out.pop_back();
    out += '\n';
  }
  return out;
}

}  // namespace

std::string svg_heatmap(const FabricReport& report, const std::vector<Node>& nodes) {
  const auto matrices = matrices_of(report, nodes, most_svg_axes);
  if (matrices.empty()) return {};
  const bool several = matrices.size() > 1;
  constexpr double row_width = 1010;
  constexpr double between = 24;
  std::string body;
  double x = 0;
  double y = 0;
  double row_height = 0;
  double width = 0;
  for (const auto& matrix : matrices) {
    const Panel panel(matrix, several);
    if (x > 0 && x + panel.width() > row_width) {
      x = 0;
      y += row_height + between;
      row_height = 0;
    }
    body += fmt::format("<g transform=\"translate({} {})\">{}</g>", px(x), px(y), panel.svg());
    x += panel.width() + between;
    width = std::max(width, x - between);
    row_height = std::max(row_height, panel.height());
  }
  const double top = y + row_height + 8;
  width = std::max(width, 720.0);
  const auto [legend_svg, legend_height] = legend(legend_of(matrices, report.verdict), top, width);
  const double height = top + legend_height;
  const auto figures = figures_of(report);
  const auto label = fmt::format("Bandwidth between nodes: {} measured, {} slow, {} failed",
                                 count_of(figures.measured + figures.failed, "pair"), figures.slow,
                                 figures.failed);
  return fmt::format(
      "<svg class=\"hm\" xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-label=\"{0}\" "
      "width=\"{1}\" "
      "height=\"{2}\" viewBox=\"0 0 {1} {2}\"><style>{3}</style>{4}{5}</svg>",
      escaped(label), px(width), px(height), style, body, legend_svg);
}

std::string text_heatmap(const FabricReport& report, const std::vector<Node>& nodes, int width,
                         bool color) {
  const auto columns = static_cast<std::size_t>(std::max(width, 40));
  // A third of the line is left to names.
  const auto matrices = matrices_of(report, nodes, std::min(most_text_axes, columns * 2 / 3));
  if (matrices.empty()) return {};
  std::string out;
  double floor = matrices.front().floor;
  double top_floor = 0;
  for (const auto& matrix : matrices) {
    if (matrices.size() > 1) out += fmt::format("  rail {}\n", matrix.rail);
    out += text_panel(matrix, columns, color);
    floor = std::min(floor, matrix.floor);
    top_floor = std::max(top_floor, matrix.top_floor);
  }
  const auto legend = fmt::format(
      "rows send to columns; █ {} Gbit/s and more as expected, ▅ from {:.0f} %, ▃ from {:.0f} %, ▁ "
      "less of it, ✗ failed, "
      "· not measured{}",
      range_text(floor, top_floor), near_share * 100, mid_share * 100,
      report.verdict.nodes.empty() ? "" : ", ! at fault");
  for (const auto& line : layout::wrapped(legend, columns - 2))
    out += "  " + layout::styled(line, "2", color) + "\n";
  return out;
}

}  // namespace podwright
