/// A way through a jump host: a direct-tcpip channel of its session, seen by the next session as a
/// socket. One session to the jump host serves every node behind it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "transport/connection.hpp"

namespace podwright {

class Tunnel : public ChannelUser, public FdHandler {
 public:
  /// `jump` must be ready.
  Tunnel(EventLoop& loop, Connection& jump, std::string host, int port);
  ~Tunnel() override;

  /// Asks the jump host for the connection. `on_change` is called once, maybe at once: when the
  /// socket can be taken, or with error().
  void open(std::function<void()> on_change);
  /// Why it will never open, or why it ended.
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }
  /// The near end, once; the caller's from then on.
  int take_socket();
  /// Looks whether the jump host has refused.
  void poll();

  /// Ends it, on both sides.
  void finish();

  void on_progress() override;
  void on_lost(const Error& error) override;
  void on_events(std::uint32_t events) override;

 private:
  struct Callbacks;
  void on_data(std::string_view bytes);
  void pump_in();
  void pump_out();
  void answered();

  std::function<void()> on_change_;
  Connection& jump_;
  Watch watch_;
  std::string host_;
  int port_;
  ssh_channel_struct* channel_ = nullptr;
  std::unique_ptr<Callbacks> callbacks_;
  int far_ = -1;   ///< our end of the socket pair
  int near_ = -1;  ///< the session's end, until it is taken
  bool open_ = false;
  bool remote_done_ = false;  ///< the node closed
  bool local_done_ = false;   ///< the session closed
  std::string to_socket_;     ///< what the socket would not take yet
  std::string to_channel_;    ///< what the channel's window would not take yet
  std::optional<Error> error_;
};

}  // namespace podwright
