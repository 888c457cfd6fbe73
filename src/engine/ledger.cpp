#include "engine/ledger.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/shell.hpp"
#include "base/text.hpp"

namespace podwright {

namespace {

/// The functions, for the shell of each frame. Forks are counted: a step that makes a file costs six.
constexpr std::string_view functions = R"sh(
# What there is at a path, in one line.
pw_seen() {
  case $1 in
    */) if [ -d "$1" ]; then echo folder; else echo absent; fi; return ;;
  esac
  if [ -L "$1" ]; then pw_d=$(readlink "$1") && printf 'link %s\n' "$pw_d"
  elif [ ! -e "$1" ]; then echo absent
  elif [ -f "$1" ]; then pw_d=$(sha256sum <"$1") && stat -c "file %u:%g %a ${pw_d%% *}" "$1"
  elif [ -d "$1" ]; then stat -c 'folder %u:%g %a' "$1"
  else echo 'device, socket or pipe'
  fi
}
# NUMBER PATH: keeps what is there.
pw_keep() {
  case $2 in
    */) [ ! -d "$2" ] || echo folder >"$pw_e/$1.folder" || return ;;
    *)
      if [ -L "$2" ]; then cp -a "$2" "$pw_e/$1" || return
      elif [ -f "$2" ]; then
        cp -a "$2" "$pw_e/$1" || return
        sync "$pw_e/$1" 2>/dev/null
      elif [ -d "$2" ]; then pw_seen "$2" >"$pw_e/$1.folder" || return
      fi
      ;;
  esac
  pw_d=${2%/}
  pw_d=${pw_d%/*}
  while [ -n "$pw_d" ] && [ ! -e "$pw_d" ]; do
    printf '%s\n' "$pw_d" >>"$pw_e/made" || return
    pw_d=${pw_d%/*}
  done
}
# NAME STEP PATH...: a new entry; the texts of Undo are in the variables pw_state and so on.
pw_begin() {
  [ -d "$pw_ledger" ] || { mkdir -p "${pw_ledger%/*}" && mkdir -m 0700 "$pw_ledger"; } || return
  pw_n=000000
  for pw_e in "$pw_ledger"/[0-9]*; do [ ! -d "$pw_e" ] || pw_n=${pw_e##*/}; done
  pw_n=1${pw_n%%-*}
  pw_n=$((pw_n + 1))
  pw_e=$pw_ledger/${pw_n#1}-$1
  mkdir -m 0700 "$pw_e" || return
  pw_entries="$pw_entries $pw_e"
  pw_step=$2
  shift 2
  pw_i=0
  for pw_p in "$@"; do
    printf '%s\n' "$pw_p" >>"$pw_e/paths" && pw_keep "$pw_i" "$pw_p" || return
    pw_i=$((pw_i + 1))
  done
  [ -z "$pw_restore" ] || printf '%s\n' "$pw_restore" >"$pw_e/restore" || return
  [ -z "$pw_finish" ] || printf '%s\n' "$pw_finish" >"$pw_e/finish" || return
  [ -z "$pw_why_not" ] || printf '%s\n' "$pw_why_not" >"$pw_e/why_not" || return
  if [ -n "$pw_state" ]; then
    printf '%s\n' "$pw_state" >"$pw_e/state" || return
    # Steps that run as one have one state.
    if [ "$pw_state" != "$pw_printed_by" ]; then
      pw_printed=$(eval "$pw_state") || return
      pw_printed_by=$pw_state
    fi
    printf '%s\n' "$pw_printed" >"$pw_e/before" || return
  fi
  printf '%s\nbegun\n' "$pw_step" >"$pw_e/step"
}
pw_complain() { echo "the ledger $pw_ledger could not be written, so this was not done" >&2; }
# STATUS: what the steps left, and the end.
pw_seal() {
  pw_printed_by=
  for pw_e in $pw_entries; do
    if [ -e "$pw_e/state" ]; then
      pw_state=$(cat "$pw_e/state")
      if [ "$pw_state" != "$pw_printed_by" ]; then
        pw_printed=$(eval "$pw_state") || exit "$1"
        pw_printed_by=$pw_state
      fi
      printf '%s\n' "$pw_printed" >"$pw_e/after" || exit "$1"
    fi
    {
      if [ -e "$pw_e/paths" ]; then
        while IFS= read -r pw_p; do pw_seen "$pw_p" || exit; done <"$pw_e/paths"
      fi
      echo sealed
    } >"$pw_e/seal"
  done
  exit "$1"
}
pw_digest() { pw_d=$(sha256sum) && printf '%s\n' "${pw_d%% *}"; }
# What the state of the entry is now, as a digest; as it was written down, through $( ).
pw_state_now() {
  pw_d=$(sh "$pw_e/state" </dev/null 2>/dev/null) || { echo unreadable; return; }
  printf '%s\n' "$pw_d" | pw_digest
}
# The entries of the same resource that have a state, up to this one, oldest first.
pw_same() {
  read -r pw_d pw_id <"$pw_e/step"
  for pw_o in "$pw_ledger"/[0-9]*; do
    if [ -e "$pw_o/before" ] && read -r pw_d pw_d <"$pw_o/step" && [ "$pw_d" = "$pw_id" ]; then
      printf '%s\n' "$pw_o"
    fi
    [ "$pw_o" != "$pw_e" ] || return 0
  done
}
# The state is what it was before this entry, or before an older one of the same resource: a way back
# may lead over several at once.
pw_as_before() {
  pw_now=$(pw_state_now)
  for pw_o in $(pw_same); do
    [ "$pw_now" != "$(pw_digest <"$pw_o/before")" ] || return 0
  done
  return 1
}
# Undo: PATH WHAT, or the digest of the state: it is still so, or the step is left.
pw_expect() {
  pw_d=$(pw_seen "$1")
  [ "$pw_d" = "$2" ] && return
  printf 'left\t\t%s is not what it was when this undo was decided\n' "$1"
  exit 0
}
pw_expect_state() {
  [ "$(pw_state_now)" = "$1" ] && return
  pw_as_before && return
  printf 'left\t\tits state is not what it was when this undo was decided\n'
  exit 0
}
# Undo: NUMBER PATH: puts the original back.
pw_put() {
  if [ "${2%/}" != "$2" ]; then
    [ -e "$pw_e/$1.folder" ] || printf '%s\n' "$2" >>"$pw_e/folders"
  elif [ -e "$pw_e/$1.folder" ]; then
    read -r pw_d pw_owner pw_mode <"$pw_e/$1.folder"
    [ -d "$2" ] || mkdir "$2" && chown "$pw_owner" "$2" && chmod "00$pw_mode" "$2"
  elif [ -L "$pw_e/$1" ] || [ -e "$pw_e/$1" ]; then
    pw_t=${2%/*}/.podwright.undo
    rm -f "$pw_t" && cp -a "$pw_e/$1" "$pw_t" && { [ ! -L "$2" ] || rm -f "$2"; } && mv -f "$pw_t" "$2"
  elif [ -d "$2" ] && [ ! -L "$2" ]; then
    printf '%s\n' "$2" >>"$pw_e/folders"
  else
    rm -f "$2"
  fi || { printf '%s could not be put back\n' "$2" >&2; exit 1; }
}
# Undo: what is more than paths.
pw_restored() {
  if [ -e "$pw_e/restore" ]; then
    if [ ! -e "$pw_e/state" ] || ! pw_as_before; then
      before=$pw_e/before after=$pw_e/after
      oldest=$(pw_same | head -n 1)/before
      [ -e "$after" ] || after=/dev/null
      [ -e "$before" ] || before=/dev/null
      export before after oldest
      pw_out=$(sh "$pw_e/restore" </dev/null)
      pw_status=$?
      [ -z "$pw_out" ] || printf '%s\n' "$pw_out"
      [ "$pw_status" = 0 ] || exit "$pw_status"
      case $pw_out in *"left		"*) exit 0 ;; esac
    fi
  fi
  [ ! -e "$pw_e/made" ] || cat "$pw_e/made" >>"$pw_e/folders" || exit
  if [ -e "$pw_e/folders" ] || [ -e "$pw_e/finish" ]; then : >"$pw_e/restored"
  else rm -rf "$pw_e"
  fi
}
# Undo: ENTRY...: their common end.
pw_finished() {
  entries=
  for pw_e in "$@"; do
    [ ! -e "$pw_ledger/$pw_e/restored" ] || entries="$entries $pw_ledger/$pw_e"
  done
  [ -n "$entries" ] || exit 0
  export entries
  pw_out=$(sh "$pw_ledger/$1/finish" </dev/null)
  pw_status=$?
  [ -z "$pw_out" ] || printf '%s\n' "$pw_out"
  [ "$pw_status" = 0 ] || exit "$pw_status"
  for pw_e in $entries; do
    read -r pw_d pw_id <"$pw_e/step"
    case $pw_out in *"left	$pw_id	"* | *"left		"*) continue ;; esac
    if [ -e "$pw_e/folders" ]; then rm -f "$pw_e/finish"; else rm -rf "$pw_e"; fi
  done
}
# Undo: ENTRY: folders that the step made, now that everything else is gone.
pw_folders() {
  pw_e=$pw_ledger/$1
  [ -e "$pw_e/folders" ] && [ -e "$pw_e/restored" ] || exit 0
  pw_status=gone
  while IFS= read -r pw_p; do
    [ -d "$pw_p" ] && [ ! -L "$pw_p" ] || continue
    pw_d=$(rmdir "$pw_p" 2>&1) && continue
    pw_status=left
    set -- "$pw_p"/* "$pw_p"/.[!.]*
    pw_n=
    for pw_d in "$@"; do [ ! -e "$pw_d" ] || pw_n="$pw_n ${pw_d##*/}"; done
    printf 'left\t\tthe folder %s stays: it holds%.200s\n' "$pw_p" "${pw_n:- nothing, but is in use}"
  done <"$pw_e/folders"
  [ "$pw_status" = left ] || [ -e "$pw_e/finish" ] || rm -rf "$pw_e"
}
)sh";

/// "package/gcc-12" as a part of a folder's name.
std::string slug_of(const std::string& id) {
  std::string slug;
  for (const char c : id) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '.' || c == '_';
    if (plain) slug += c;
    else if (!slug.empty() && slug.back() != '-') slug += '-';
  }
  return slug.substr(0, 60);
}

std::string one_line(std::string text) {
  std::ranges::replace(text, '\n', ' ');
  return text;
}

/// What `step` of an entry holds, a line each.
std::string step_text(const LedgerStep& one, std::string_view run) {
  std::string text = "id " + one_line(one.step.id);
  if (!one.component.empty()) text += "\ncomponent " + one_line(one.component);
  text += "\naction " + one_line(one.step.action);
  if (!run.empty()) text += "\nrun " + one_line(std::string(run));
  return text;
}

}  // namespace

std::string ledger_setup(std::string_view folder) {
  // Tests that run on this very machine say where their ledger is.
  const auto place = fmt::format("pw_ledger=${{PODWRIGHT_LEDGER_FOLDER:-{}}}\n", folder);
  return sh::assign("PODWRIGHT_LEDGER", place + std::string(functions)) +
         "export PODWRIGHT_LEDGER\n";
}

std::string recorded(const std::vector<LedgerStep>& steps, std::string_view run,
                     const std::string& script) {
  std::string text = "eval \"$PODWRIGHT_LEDGER\"; unset PODWRIGHT_LEDGER\npw_entries=\n";
  Undo last;
  const auto assign = [&](const char* name, const std::string& value, std::string& known) {
    if (value == known) return;
    text += sh::assign(name, value);
    known = value;
  };
  text += "pw_state= pw_restore= pw_finish= pw_why_not= pw_printed_by=\n";
  for (const auto& one : steps) {
    const auto& undo = one.step.undo;
    assign("pw_state", undo.state, last.state);
    assign("pw_restore", undo.restore, last.restore);
    assign("pw_finish", undo.finish, last.finish);
    assign("pw_why_not",
           undo.empty() ? "nothing is known that takes it back" : one_line(undo.why_not), last.why_not);
    std::vector<std::string> words{"pw_begin", slug_of(one.step.id), step_text(one, run)};
    words.insert(words.end(), undo.paths.begin(), undo.paths.end());
    text += sh::join(words) + " || { pw_complain; exit 1; }\n";
  }
  return text + "(\n" + script + (script.ends_with('\n') ? "" : "\n") + ")\npw_seal $?\n";
}

std::string ledger_listing() {
  return R"sh(eval "$PODWRIGHT_LEDGER"; unset PODWRIGHT_LEDGER
# PATH: whose content is a whole text; the digest of none is empty.
pw_sum() { if [ -e "$1" ]; then pw_digest <"$1"; fi; }
for pw_e in "$pw_ledger"/[0-9]*; do
  [ -d "$pw_e" ] || continue
  printf 'entry %s\n' "${pw_e##*/}"
  stat -c 'time %Y' "$pw_e"
  [ ! -e "$pw_e/step" ] || cat "$pw_e/step"
  for pw_n in restored restore made; do [ ! -e "$pw_e/$pw_n" ] || echo "has $pw_n"; done
  [ ! -e "$pw_e/finish" ] || printf 'finish %s\n' "$(pw_digest <"$pw_e/finish")"
  if [ -e "$pw_e/why_not" ]; then read -r pw_d <"$pw_e/why_not"; printf 'why_not %s\n' "$pw_d"; fi
  sealed=
  if [ -e "$pw_e/seal" ]; then
    case $(tail -n 1 "$pw_e/seal") in sealed) sealed=yes; echo sealed ;; esac
  fi
  if [ -e "$pw_e/paths" ]; then
    pw_i=0
    # 3 and not stdin: the paths are read beside it.
    while IFS= read -r pw_p; do
      printf 'path %s\n' "$pw_p"
      if [ -e "$pw_e/$pw_i.folder" ]; then printf 'before %s\n' "$(cat "$pw_e/$pw_i.folder")"
      else printf 'before %s\n' "$(pw_seen "$pw_e/$pw_i")"
      fi
      if [ -n "$sealed" ] && IFS= read -r pw_n <&3; then printf 'after %s\n' "$pw_n"; fi
      printf 'now %s\n' "$(pw_seen "$pw_p")"
      pw_i=$((pw_i + 1))
    done <"$pw_e/paths" 3<"$(if [ -n "$sealed" ]; then echo "$pw_e/seal"; else echo /dev/null; fi)"
  fi
  if [ -e "$pw_e/state" ] && [ -e "$pw_e/restore" ]; then
    printf 'state %s\n' "$(pw_digest <"$pw_e/state")"
    printf 'state-before %s\n' "$(pw_sum "$pw_e/before")"
    [ -z "$sealed" ] || printf 'state-after %s\n' "$(pw_sum "$pw_e/after")"
    printf 'state-now %s\n' "$(pw_state_now)"
  fi
done
echo end
)sh";
}

Result<std::vector<LedgerEntry>> parse_ledger(std::string_view listing) {
  std::vector<LedgerEntry> entries;
  bool ended = false;
  for (const auto line : lines(listing)) {
    const auto blank = line.find(' ');
    const auto key = line.substr(0, blank);
    const auto value =
        std::string(blank == std::string_view::npos ? std::string_view{} : line.substr(blank + 1));
    if (key == "entry") {
      entries.push_back({.name = value, .id = {}});
      continue;
    }
    if (key == "end") ended = true;
    if (entries.empty()) continue;
    auto& entry = entries.back();
    if (key == "id") entry.id = value;
    else if (key == "component") entry.component = value;
    else if (key == "action") entry.action = value;
    else if (key == "run") entry.run = value;
    else if (key == "time") entry.time = to_int(value).value_or(0);
    else if (key == "begun") entry.begun = true;
    else if (key == "sealed") entry.sealed = true;
    else if (key == "finish") entry.has_finish = true, entry.finish_key = value;
    else if (key == "why_not") entry.why_not = value;
    else if (key == "has" && value == "restored") entry.restored = true;
    else if (key == "has" && value == "restore") entry.has_restore = true;
    else if (key == "has" && value == "made") entry.has_made = true;
    else if (key == "state") entry.state_key = value;
    else if (key == "state-before") entry.state_before = value;
    else if (key == "state-after") entry.state_after = value;
    else if (key == "state-now") entry.state_now = value;
    else if (key == "path") entry.paths.push_back({.path = value});
    else if (entry.paths.empty()) continue;
    else if (key == "before") entry.paths.back().before = value;
    else if (key == "after") entry.paths.back().after = value;
    else if (key == "now") entry.paths.back().now = value;
  }
  if (!ended) {
    return fail(Fault::remote, fmt::format("its ledger in {} could not be read whole", ledger_folder),
                "try again, or look at it on the node");
  }
  return entries;
}

}  // namespace podwright
