/// The ledger: what podwright changed on a node, with the originals. It lies on the node itself, in
/// /var/lib/podwright/ledger (0700), a folder for each step that ran:
///
///     000012-file-etc-hosts/
///       step       id, component, action, run; its last line "begun" says that the originals are kept
///       paths      what the step may change, one a line; 0, 1, … are their originals, 0.folder what a
///                  folder was; neither: there was nothing
///       made       folders that were missing above the paths
///       state, restore, finish, why_not     the texts of Undo
///       before, after                       what state printed
///       seal       what each path was after the step; its last line is "sealed"
///       restored, folders                   undo has put it back; finish, or these folders, remain
///
/// Every file is complete before the next one counts, so that a node that loses power at any moment
/// has an entry that can be judged: without "begun" the step did not run, without "sealed" it was cut
/// off. Undo goes from the last entry to the first, which is what makes chains of changes come out.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "model/plan.hpp"

namespace podwright {

inline constexpr std::string_view ledger_folder = "/var/lib/podwright/ledger";

/// sh that a script of frames runs first (FramedScript::setup): brings the ledger's functions, as text
/// in a variable, to the shell of each frame. `folder` is another one in tests; no blanks in it.
std::string ledger_setup(std::string_view folder = ledger_folder);

/// A step and whose it is.
struct LedgerStep {
  const Step& step;
  std::string component;
};

/// `script`, the work of all `steps`, between the writing down of what there is and of what it left.
/// Its exit status stays; it does not run when the originals could not be kept.
std::string recorded(const std::vector<LedgerStep>& steps, std::string_view run,
                     const std::string& script);

/// An entry as the node has it, beside what there is now. What a path is is one line: "absent",
/// "file 0:0 644 <sha256>", "link <target>", "folder 0:0 755".
struct LedgerEntry {
  std::string name;  ///< 000012-file-etc-hosts
  std::string id;    ///< of the step
  std::string component{};
  std::string action{};
  std::string run{};
  long long time = 0;      ///< when the step began, seconds since 1970
  bool begun = false;
  bool sealed = false;
  bool restored = false;   ///< an undo that was cut off put it back; finish or folders remain
  bool has_restore = false;
  bool has_finish = false;
  bool has_made = false;
  std::string finish_key{};  ///< the same for entries with the same finish
  std::string why_not{};
  struct Path {
    std::string path;
    std::string before{};
    std::string after{};  ///< empty when the step was cut off
    std::string now{};
    bool operator==(const Path&) const = default;
  };
  std::vector<Path> paths{};
  /// Digests of what state prints; the text's own is the key. Empty: the entry judges no state.
  std::string state_key{};
  std::string state_before{};
  std::string state_after{};
  std::string state_now{};  ///< "unreadable" when it failed
};

/// Read-only sh, run after ledger_setup: prints all entries, oldest first; nothing without a ledger.
std::string ledger_listing();
Result<std::vector<LedgerEntry>> parse_ledger(std::string_view listing);

}  // namespace podwright
