// Fuzzing of the parsers of tools with libFuzzer, a family each: no text brings one down, makes it hang or take
// more memory than its input is worth. Build and run: tests/fuzz/README.md.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/json.hpp"
#include "base/text.hpp"
#include "catalog/registry.hpp"

namespace {

/// Of PODWRIGHT_FUZZ_KINDS, the kind that the first byte of the input picks.
const podwright::Parser& pick(unsigned char byte) {
  static const auto kinds = podwright::words(PODWRIGHT_FUZZ_KINDS);
  const auto* parser = podwright::find_in_catalog<podwright::Parser>(kinds.at(byte % kinds.size()));
  if (parser == nullptr) std::abort();
  return *parser;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string bytes(data + 1, data + size);
  const auto result = pick(data[0]).parse(podwright::clean_output(bytes));
  if (result) {
    if (!result->is_object() || result->dump(-1, ' ', false, podwright::Json::error_handler_t::strict).empty()) std::abort();
  } else if (result.error().what.find("line ") == std::string::npos) {
    std::abort();
  }
  return 0;
}
