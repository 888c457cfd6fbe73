/// Writing to something that has gone away must be an error, not the end of this program.
#pragma once

#include <csignal>

namespace podwright {

/// SIGPIPE is ignored while it lives. libssh writes to the agent without asking for that itself.
class IgnoreSigpipe {
 public:
  IgnoreSigpipe() : before_(std::signal(SIGPIPE, SIG_IGN)) {}
  ~IgnoreSigpipe() { std::signal(SIGPIPE, before_); }
  IgnoreSigpipe(const IgnoreSigpipe&) = delete;
  IgnoreSigpipe& operator=(const IgnoreSigpipe&) = delete;

 private:
  void (*before_)(int);
};

}  // namespace podwright
