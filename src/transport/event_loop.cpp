#include "transport/event_loop.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>

namespace podwright {

struct EventLoop::State {
  int epoll = -1;
  int waker = -1;
  std::array<epoll_event, 256> batch{};
  int batch_size = 0;  ///< events of the batch that are being handed out

  void drop(const Watch* watch) {
    const auto end = batch.begin() + batch_size;
    std::for_each(batch.begin(), end, [watch](epoll_event& event) {
      if (event.data.ptr == watch) event.data.ptr = nullptr;
    });
  }
};

namespace {

[[noreturn]] void out_of_descriptors(const char* what) {
  throw std::runtime_error(std::string(what) + ": " + std::strerror(errno));
}

}  // namespace

EventLoop::EventLoop() : state_(std::make_unique<State>()) {
  state_->epoll = epoll_create1(EPOLL_CLOEXEC);
  if (state_->epoll < 0) out_of_descriptors("epoll_create1");
  state_->waker = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (state_->waker < 0) {
    close(state_->epoll);
    out_of_descriptors("eventfd");
  }
  epoll_event event{.events = EPOLLIN, .data = {.ptr = state_.get()}};
  epoll_ctl(state_->epoll, EPOLL_CTL_ADD, state_->waker, &event);
}

EventLoop::~EventLoop() {
  close(state_->waker);
  close(state_->epoll);
}

int EventLoop::wait(Millis timeout) {
  auto& state = *state_;
  const int count =
      epoll_wait(state.epoll, state.batch.data(), static_cast<int>(state.batch.size()),
                 static_cast<int>(std::max<std::int64_t>(0, timeout.count())));
  state.batch_size = std::max(count, 0);
  int handled = 0;
  for (int i = 0; i < state.batch_size; ++i) {
    const auto event = state.batch[static_cast<std::size_t>(i)];
    if (event.data.ptr == nullptr) continue;
    if (event.data.ptr == &state) {
      std::uint64_t value = 0;
      while (read(state.waker, &value, sizeof value) > 0) {
      }
      continue;
    }
    static_cast<Watch*>(event.data.ptr)->handler_.on_events(event.events);
    ++handled;
  }
  state.batch_size = 0;
  return handled;
}

void EventLoop::wake() {
  const std::uint64_t one = 1;
  // A full counter is a wake-up that is pending already.
  [[maybe_unused]] const auto written = write(state_->waker, &one, sizeof one);
}

void Watch::set(int fd, std::uint32_t events) {
  if (fd == fd_ && events == events_) return;
  if (fd_ >= 0 && fd != fd_) clear();
  epoll_event event{.events = events, .data = {.ptr = this}};
  const int operation = fd_ == fd ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
  if (epoll_ctl(loop_.state_->epoll, operation, fd, &event) != 0) out_of_descriptors("epoll_ctl");
  fd_ = fd;
  events_ = events;
}

void Watch::clear() {
  if (fd_ < 0) return;
  epoll_ctl(loop_.state_->epoll, EPOLL_CTL_DEL, fd_, nullptr);
  abandon();
}

void Watch::abandon() {
  loop_.state_->drop(this);
  fd_ = -1;
  events_ = 0;
}

}  // namespace podwright
