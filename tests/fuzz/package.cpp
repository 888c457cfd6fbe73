// Fuzzing of what reads packages and the metadata of repositories with libFuzzer. Whatever comes, what is made of a
// package is one entry of well-formed metadata. Build and run: tests/fuzz/README.md.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/text.hpp"
#include "memory_file.hpp"
#include "repo/deb822.hpp"
#include "repo/deb_file.hpp"
#include "repo/openpgp.hpp"
#include "repo/rpm_file.hpp"
#include "repo/rpm_md.hpp"
#include "repo/solver.hpp"

namespace {

using namespace podwright;

void demand(bool holds) {
  if (!holds) std::abort();
}

void read_deb(const std::string& bytes) {
  const MemoryFile file(bytes);
  const auto control = control_of_deb(file.path());
  if (!control) return demand(!control.error().what.empty());
  // As bundle/create.cpp puts it into Packages: what is said of the file has to stay beside its package.
  const auto index = *control + "Filename: pool/x.deb\n\n";
  std::size_t at = 0;
  const auto entry = next_stanza(index, at);
  demand(at == index.size());
  const auto fields = fields_of(entry);
  demand(!fields.empty() && fields.back().first == "Filename");
}

void read_rpm(const std::string& bytes) {
  const MemoryFile file(bytes);
  const auto entry = primary_of_rpm(file.path(), std::string(64, 'a'), "x.rpm");
  if (!entry) return demand(!entry.error().what.empty());
  PackageSolver solver("rpm", "x86_64");
  demand(solver.add_rpm_md_text("x", 500, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<metadata xmlns=\"http://linux.duke.edu/metadata/common\" "
                                          "xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\" packages=\"1\">\n" + *entry + "</metadata>\n", {}, "").has_value());
  demand(solver.size() <= 1);
}

void read_release(const std::string& text) {
  for (const auto& [path, file] : release_files(text)) demand(!path.empty() && file.sha256.size() == 64);
}

void read_packages(const std::string& text) {
  std::size_t at = 0, total = 0;
  for (auto stanza = next_stanza(text, at); !stanza.empty(); stanza = next_stanza(text, at)) total += stanza.size();
  demand(total <= text.size());
  PackageSolver solver("apt", "amd64");
  if (!solver.add_packages("x", 500, text)) return;
  (void)solver.needed_by("a");
  (void)solver.solve({{.name = "a"}});
}

void read_primary(const std::string& text) {
  PackageSolver solver("rpm", "x86_64");
  if (!solver.add_rpm_md_text("x", 500, text, {"r/b.rpm"}, "r/")) return;
  (void)solver.solve({{.name = "a"}});
}

void read_parts(const std::string& xml) {
  const auto parts = read_repomd(xml);
  if (!parts) return;
  for (const auto& [type, part] : *parts) {
    demand(part.sha256.size() == 64 && !part.href.empty() && part.href.front() != '/' && part.href.find("..") == std::string::npos);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string bytes(data + 1, data + size);
  switch (data[0] % 7) {
    case 0: read_deb(bytes); break;
    case 1: read_rpm(bytes); break;
    case 2: read_release(bytes); break;
    case 3: read_packages(bytes); break;
    case 4: read_primary(bytes); break;
    case 5: read_parts(bytes); break;
    default:
      if (const auto keys = dearmor(bytes)) demand(!keys->empty() && keys->size() < bytes.size());
  }
  return 0;
}
