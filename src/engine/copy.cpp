#include "engine/copy.hpp"

#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/digest.hpp"
#include "base/files.hpp"
#include "base/shell.hpp"
#include "base/text.hpp"
#include "engine/chains.hpp"

namespace podwright {

namespace fs = std::filesystem;

namespace {

/// What arrives is hidden so. No folder of its own: to remove one costs a disk more than to name a file.
constexpr std::string_view arriving = ".podwright-copy-";
constexpr std::uint64_t slowest_disk = 20U << 20U;
constexpr std::uint64_t entries_per_second = 50;

class Lister {
 public:
  explicit Lister(CopyList& list) : list_(list) {}

  Status add(const fs::path& source, const std::string& path) {
    // They travel in lines.
    if (path.find_first_of("\n\t") != std::string::npos) {
      return fail(Fault::usage, fmt::format("{}: a name with a line feed or a tab cannot be copied", clean_output(source.string())), "rename it");
    }
    std::error_code problem;
    const auto status = fs::symlink_status(source, problem);
    if (!fs::exists(status)) return fail(Fault::usage, fmt::format("{}: {}", source.string(), problem ? problem.message() : "there is no such file"));
    const auto mode = static_cast<unsigned>(status.permissions()) & 07777U;
    if (fs::is_symlink(status)) {
      const auto target = fs::read_symlink(source, problem).string();
      if (problem || target.find_first_of("\n\t") != std::string::npos) return fail(Fault::usage, fmt::format("the link {} cannot be read", source.string()));
      list_.entries.push_back({.kind = CopyEntry::Kind::link, .path = path, .target = target});
      return {};
    }
    if (fs::is_directory(status)) {
      list_.entries.push_back({.kind = CopyEntry::Kind::folder, .path = path, .mode = mode});
      std::vector<fs::path> children;
      for (fs::directory_iterator each(source, problem), end; !problem && each != end; each.increment(problem)) children.push_back(each->path());
      if (problem) return fail(Fault::usage, fmt::format("{} cannot be read: {}", source.string(), problem.message()));
      std::ranges::sort(children);
      for (const auto& child : children) {
        if (auto added = add(child, path + "/" + child.filename().string()); !added) return added;
      }
      return {};
    }
    if (!fs::is_regular_file(status)) {
      return fail(Fault::usage, fmt::format("{} is no file, folder or link", source.string()), "leave it out");
    }
    const auto size = fs::file_size(source, problem);
    if (problem) return fail(Fault::usage, fmt::format("{}: {}", source.string(), problem.message()));
    if (::access(source.c_str(), R_OK) != 0) return fail(Fault::usage, fmt::format("{} cannot be read: {}", source.string(), std::strerror(errno)));
    list_.bytes += size;
    list_.entries.push_back({.kind = CopyEntry::Kind::file, .path = path, .mode = mode, .source = source});
    return {};
  }

 private:
  CopyList& list_;
};

/// A name for a content that does not ask for its whole digest, which one processor at a time can take: that of its
/// size and its chunks.
std::string name_of_content(std::uint64_t size, std::uint64_t chunk, const std::string& hashes) {
  return sha256_hex(fmt::format("{} bytes in chunks of {}\n", size, chunk) + hashes);
}

/// What has to travel, by the names of its contents; into the entries as well.
Status read_contents(CopyList& list, Distribution& job) {
  job.chunk = chunk_size(list.bytes);
  for (auto& entry : list.entries) {
    if (entry.kind != CopyEntry::Kind::file) continue;
    const auto file = InputFile::open(entry.source);
    if (!file) return fail(file.error());
    auto hashes = chunk_sha256(*file, job.chunk);
    if (!hashes) return fail(hashes.error());
    entry.content = name_of_content(file->size(), job.chunk, *hashes);
    job.parcels.try_emplace(entry.content, Parcel{.name = entry.source.filename().string(), .path = entry.source, .size = file->size(), .hashes = std::move(*hashes)});
  }
  return {};
}

Status digest_contents(Distribution& job) {
  for (auto& [content, parcel] : job.parcels) {
    if (parcel.size > 0 && parcel.size <= job.chunk) {
      parcel.sha256 = hex_digits(parcel.hashes);
      continue;
    }
    auto sha256 = sha256_of_file(parcel.path);
    if (!sha256) return fail(sha256.error());
    parcel.sha256 = std::move(*sha256);
  }
  return {};
}

/// Prints the numbers of the files that are as they should be, and of files and links in whose place a folder is.
std::string look(const CopyList& list, const std::map<std::string, Parcel>& parcels) {
  std::string lines;
  for (std::size_t i = 0; i < list.entries.size(); ++i) {
    const auto& entry = list.entries[i];
    if (entry.kind != CopyEntry::Kind::folder) lines += fmt::format("{}\t{}\t{}\n", i, entry.content.empty() ? "-" : parcels.at(entry.content).sha256, entry.path);
  }
  return "tab=$(printf '\\t')\nwhile IFS=$tab read -r number digest path; do\n"
         // A link to a folder is one for a file, which would go into it; a link takes its place.
         "if [ -d \"$path\" ] && { [ \"$digest\" != - ] || [ ! -L \"$path\" ]; }; then echo \"folder $number\"\n"
         "elif [ -L \"$path\" ] || [ \"$digest\" = - ]; then :\n"
         "elif [ -f \"$path\" ] && [ \"$(sha256sum <\"$path\")\" = \"$digest  -\" ]; then echo \"right $number\"; fi\n"
         "done <<'END OF LIST'\n" + lines + "END OF LIST\n";
}

/// What a node said of the entries.
struct Looked {
  std::set<std::size_t> right{};
  std::set<std::size_t> folders{};
};

Looked read_look(std::string_view said) {
  Looked looked;
  for (const auto line : lines(said)) {
    const auto parts = words(line);
    const auto number = parts.size() == 2 ? to_int(parts[1]) : std::nullopt;
    if (!number || *number < 0) continue;
    if (parts[0] == "right") looked.right.insert(static_cast<std::size_t>(*number));
    if (parts[0] == "folder") looked.folders.insert(static_cast<std::size_t>(*number));
  }
  return looked;
}

Error folder_in_the_way(const CopyEntry& entry) {
  const bool file = entry.kind == CopyEntry::Kind::file;
  return {.fault = Fault::remote,
          .what = fmt::format("{} is a folder there, and was to become a {}", entry.path, file ? "file" : "link"),
          .hint = file ? fmt::format("to copy into it write {}/", entry.path) : "move it away on the node, or copy to another place"};
}

/// Puts what has arrived where it belongs. `right`: the files that are there already.
std::string placing(const CopyList& list, const std::set<std::size_t>& right) {
  std::map<std::string, std::size_t> left;  // uses of a content that are still to come
  for (std::size_t i = 0; i < list.entries.size(); ++i) {
    if (list.entries[i].kind == CopyEntry::Kind::file && !right.contains(i)) ++left[list.entries[i].content];
  }
  std::string lines;
  std::string modes;
  for (std::size_t i = 0; i < list.entries.size(); ++i) {
    const auto& entry = list.entries[i];
    switch (entry.kind) {
      case CopyEntry::Kind::folder:
        lines += fmt::format("folder\t-\t-\t{}\n", entry.path);
        // Behind all files: one that may not be written to is filled first.
        if (entry.mode) modes.insert(0, fmt::format("mode\t{:04o}\t-\t{}\n", *entry.mode, entry.path));
        break;
      case CopyEntry::Kind::link:
        lines += fmt::format("link\t-\t{}\t{}\n", entry.target, entry.path);
        break;
      case CopyEntry::Kind::file:
        if (right.contains(i)) lines += fmt::format("mode\t{:04o}\t-\t{}\n", *entry.mode, entry.path);
        else lines += fmt::format("{}\t{:04o}\t{}\t{}\n", --left.at(entry.content) == 0 ? "last" : "file", *entry.mode, entry.content, entry.path);
        break;
    }
  }
  return fmt::format(R"sh(umask 022
stage={0}
tab=$(printf '\t')
no_folder() {{ [ ! -d "$path" ] || {{ echo "$path is a folder there" >&2; exit 1; }}; }}  # by now; mostly it was seen before anything was sent
[ -d {2} ] || mkdir -p {2} || exit 1
while IFS=$tab read -r kind mode what path; do
  case $kind in
  folder) [ -d "$path" ] || mkdir "$path" || exit 1 ;;
  mode) chmod "$mode" "$path" || exit 1 ;;
  link)
    [ -L "$path" ] || no_folder
    rm -f "$path" && ln -s "$what" "$path" || exit 1 ;;
  file | last)
    no_folder
    if [ "$kind" = file ]; then
      cp "$stage$what" "$stage$what.copy" || exit 1
      what=$what.copy
    fi
    chmod "$mode" "$stage$what" && mv -f "$stage$what" "$path" || exit 1 ;;
  esac
done <<'END OF LIST'
{1}{3}END OF LIST
status=$?
[ "$status" = 0 ] || exit "$status"
set -- "$stage"*  # left of other transfers; relays that still work there have it locked
[ ! -e "$1" ] || printf '%s\0' "$@" | flock -n {2} xargs -0 rm -f || :
)sh",
                     sh::quote(list.folder + "/" + std::string(arriving)), lines, sh::quote(list.folder), modes);
}

}  // namespace

Result<CopyList> list_sources(const std::vector<std::string>& sources, const std::string& destination) {
  if (!destination.starts_with('/')) {
    return fail(Fault::usage, fmt::format("the destination {} is no absolute path", destination), "it is a path on the nodes, such as /opt/");
  }
  const bool folder = destination.ends_with('/') || sources.size() > 1;
  auto base = fs::path(destination).lexically_normal().string();
  while (base.size() > 1 && base.ends_with('/')) base.pop_back();
  if (base == "/" && !folder) return fail(Fault::usage, "/ is no name for a copy");
  CopyList list;
  list.folder = folder ? base : fs::path(base).parent_path().string();
  Lister lister(list);
  if (folder && base != "/") list.entries.push_back({.kind = CopyEntry::Kind::folder, .path = base});
  for (const auto& source : sources) {
    auto path = expand_home(source).lexically_normal();
    if (!path.has_filename()) path = path.parent_path();
    auto name = path.filename().string();
    if (name == "." || name == "..") name = fs::absolute(path).lexically_normal().parent_path().filename().string();
    // A link that is named on the command line is what it points to, as with cp and scp.
    std::error_code problem;
    const auto real = fs::canonical(path, problem);
    if (auto added = lister.add(problem ? path : real, folder ? (base == "/" ? "/" : base + "/") + name : base); !added) return fail(added.error());
  }
  std::set<std::string> paths;
  for (const auto& entry : list.entries) {
    if (!paths.insert(entry.path).second) return fail(Fault::usage, fmt::format("two sources would become {}", entry.path), "copy one of them elsewhere");
  }
  return list;
}

Distributed copy_to_nodes(Site& site, CopyList list, const TransferOptions& options) {
  Unread unread{.bytes = list.bytes};
  for (const auto& entry : list.entries) {
    if (entry.kind != CopyEntry::Kind::folder) unread.paths.push_back(entry.path);
  }
  unread.read = [&](Distribution& job) -> Status {
    if (auto read = read_contents(list, job); !read) return read;
    std::set<std::string> all;
    for (const auto& [content, parcel] : job.parcels) all.insert(content);
    for (const auto& node : site.nodes) job.wanted[node] = all;
    return {};
  };
  unread.digest = [&](Distribution& job) -> Status {
    if (auto digested = digest_contents(job); !digested) return digested;
    const auto looking = look(list, job.parcels);
    for (const auto& node : site.nodes) job.look[node] = looking;
    return {};
  };
  std::map<NodeId, std::set<std::size_t>> right;
  Distribution job{.phase = "copy", .folder = list.folder, .prefix = std::string(arriving), .unread = std::move(unread), .rate = options.rate, .chains = options.chains, .direct = options.direct};
  job.wants = [&](const NodeId& node, const Observed& seen) -> Result<std::set<std::string>> {
    auto looked = read_look(seen.out);
    std::set<std::string> wanted;
    for (std::size_t i = 0; i < list.entries.size(); ++i) {
      const auto& entry = list.entries[i];
      // Known before anything is sent: it may be much.
      if (looked.folders.contains(i)) return fail(folder_in_the_way(entry));
      if (entry.kind == CopyEntry::Kind::file && !looked.right.contains(i)) wanted.insert(entry.content);
    }
    right[node] = std::move(looked.right);
    return wanted;
  };
  job.place = [&](const NodeId& node) { return placing(list, right[node]); };
  job.place_deadline = std::chrono::seconds(60 + list.entries.size() / entries_per_second + list.bytes / slowest_disk);
  return distribute(site, std::move(job));
}

}  // namespace podwright
