/// This machine as a node: requests run through /bin/sh here. For `--local`.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "transport/transport.hpp"

namespace podwright {

/// Who becomes root, and how; the settings of a node, without the ones for getting there.
struct LocalOptions {
  std::string become = "none";  ///< none | sudo; only where podwright is not root already
  std::string become_password_env{};
};

class LocalTransport : public Transport {
 public:
  explicit LocalTransport(LocalOptions options = {}) : options_(std::move(options)) {}

  std::map<NodeId, Result<Reply>> run(const std::vector<Request>& requests,
                                      TransportObserver* observer, std::stop_token stop) override;

 private:
  LocalOptions options_;
};

}  // namespace podwright
