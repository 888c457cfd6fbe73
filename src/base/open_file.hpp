/// A C stream that closes itself.
#pragma once

#include <cstdio>
#include <memory>

namespace podwright {

struct FileCloser {
  void operator()(std::FILE* file) const { (void)std::fclose(file); }
};
/// Null where fopen() failed: errno says why.
using OpenFile = std::unique_ptr<std::FILE, FileCloser>;

}  // namespace podwright
