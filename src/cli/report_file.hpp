/// A report in one of its formats.
#pragma once

#include <string>

#include "base/result.hpp"
#include "model/report.hpp"

namespace podwright::cli {

/// `format` is text, md, html, json or junit; width and color are text's.
Result<std::string> format_report(const Report& report, const std::string& format, std::size_t width = 80,
                                  bool color = false);

}  // namespace podwright::cli
