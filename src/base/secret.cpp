#include "base/secret.hpp"

#include <openssl/crypto.h>

namespace podwright {

void Secret::wipe() {
  if (!text_.empty()) OPENSSL_cleanse(text_.data(), text_.size());
  text_.clear();
}

}  // namespace podwright
