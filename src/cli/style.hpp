/// How results look on stdout: colours where wanted, tables that fit.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace podwright::cli {

/// Colours that can be off. Good for stdout's results; the sinks know their own.
struct Style {
  bool color = false;

  [[nodiscard]] std::string bold(std::string_view text) const { return paint("1", text); }
  [[nodiscard]] std::string dim(std::string_view text) const { return paint("2", text); }
  [[nodiscard]] std::string good(std::string_view text) const { return paint("32", text); }
  [[nodiscard]] std::string warn(std::string_view text) const { return paint("33", text); }
  [[nodiscard]] std::string bad(std::string_view text) const { return paint("31", text); }

 private:
  [[nodiscard]] std::string paint(std::string_view code, std::string_view text) const;
};

/// Whether to colour what goes to `fd`: --color, then NO_COLOR and TERM=dumb, then whether it is a
/// terminal.
bool wants_color(std::string_view option, int fd);

/// Rows under headings, columns as wide as their widest cell, two blanks between. A column whose name
/// begins with '>' is aligned to the right. The last column is wrapped into `width` columns, with its
/// further lines beneath it.
class Table {
 public:
  explicit Table(std::vector<std::string> headings) : headings_(std::move(headings)) {}
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  [[nodiscard]] bool empty() const { return rows_.empty(); }
  [[nodiscard]] std::string text(std::size_t width = 80, std::size_t indent = 0,
                                 const Style& style = {}) const;

 private:
  std::vector<std::string> headings_;
  std::vector<std::vector<std::string>> rows_;
};

/// Each line of `text` behind `blanks` blanks.
std::string indented(std::string_view text, std::size_t blanks);

/// Lines wrapped into `width` columns, each with its end.
std::string paragraph(std::string_view text, std::size_t width = 80, std::size_t indent = 0);

}  // namespace podwright::cli
