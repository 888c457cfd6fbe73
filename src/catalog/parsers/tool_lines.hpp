/// What readers of tools' outputs share: lines with their numbers, and complaints that quote them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "catalog/probes/reading.hpp"

namespace podwright::parsing {

using reading::Line;

/// The lines of an output without blanks around them, those of a launcher without what it puts before them: "[1,0]<stdout>:" of
/// mpirun, "3: " of srun. A prefix is one only where the line is not made of it.
std::vector<Line> numbered_lines(std::string_view text);

/// "nccl-tests, line 12: the row has 9 columns and not 13: …"
tl::unexpected<Error> unreadable(std::string_view tool, const Line& line, std::string_view why);

/// The output holds nothing of what it should: says what was looked for, and quotes the first line that
/// says something (a complaint, where there is one).
tl::unexpected<Error> nothing_found(std::string_view tool, std::string_view what, std::string_view text);

}  // namespace podwright::parsing
