// The companion that podwright sends to nodes; see src/relay/relay.hpp.
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstring>

#include "relay/relay.hpp"

int main(int argc, char** argv) {
  // Whoever asks only wants to know whether it can run here.
  if (argc > 1 && std::strcmp(argv[1], "--runs") == 0) return 0;
  // A successor's or the head's end must not end this one.
  std::signal(SIGPIPE, SIG_IGN);
  // It leaves nothing behind, whatever becomes of it.
  std::array<char, 4096> self{};
  if (argc > 1 && std::strcmp(argv[1], "--once") == 0 && readlink("/proc/self/exe", self.data(), self.size() - 1) > 0) unlink(self.data());
  return podwright::relay::run_relay(STDIN_FILENO, STDOUT_FILENO);
}
