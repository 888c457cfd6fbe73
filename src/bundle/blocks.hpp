/// How bytes go from one thread to another while a bundle is written or read.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace podwright {

constexpr std::size_t block_size = std::size_t{1} << 20U;

struct Block {
  std::unique_ptr<char[]> memory = std::make_unique_for_overwrite<char[]>(block_size);
  std::size_t size = 0;  ///< of it is filled
  [[nodiscard]] std::string_view bytes() const { return {memory.get(), size}; }
};
using SharedBlock = std::shared_ptr<Block>;

/// Blocks that are used again and again: asking the system for a gigabyte in pieces costs as much as its digest.
class BlockPool {
 public:
  SharedBlock get() {
    const std::scoped_lock lock(shelf_->mutex);
    if (shelf_->blocks.empty()) shelf_->blocks.push_back(std::make_unique<Block>());
    auto block = std::move(shelf_->blocks.back());
    shelf_->blocks.pop_back();
    block->size = 0;
    return {block.release(), [shelf = shelf_](Block* used) {
              const std::scoped_lock again(shelf->mutex);
              shelf->blocks.emplace_back(used);
            }};
  }

 private:
  struct Shelf {
    std::mutex mutex;
    std::vector<std::unique_ptr<Block>> blocks;
  };
  std::shared_ptr<Shelf> shelf_ = std::make_shared<Shelf>();
};

/// Blocks on their way from one thread to another, in turn: who puts waits when who takes falls behind.
class BlockQueue {
 public:
  /// False: they are not taken any more.
  bool put(SharedBlock block) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return abandoned_ || waiting_.size() < most_waiting; });
    if (abandoned_) return false;
    waiting_.push_back(std::move(block));
    changed_.notify_all();
    return true;
  }
  /// Null: that was all.
  SharedBlock take() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return ended_ || !waiting_.empty(); });
    if (waiting_.empty()) return nullptr;
    auto block = std::move(waiting_.front());
    waiting_.pop_front();
    changed_.notify_all();
    return block;
  }
  /// Nothing more is put.
  void end() { set(ended_); }
  /// Nothing more is taken.
  void abandon() { set(abandoned_); }

 private:
  static constexpr std::size_t most_waiting = 8;

  void set(bool& what) {
    const std::scoped_lock lock(mutex_);
    what = true;
    changed_.notify_all();
  }

  std::mutex mutex_{};
  std::condition_variable changed_{};
  std::deque<SharedBlock> waiting_{};
  bool ended_ = false;
  bool abandoned_ = false;
};

/// Does something with each block, in a thread of its own.
class BlockTaker {
 public:
  explicit BlockTaker(std::function<void(std::string_view)> take)
      : thread_([this, take = std::move(take)] {
          while (const auto block = queue_.take()) take(block->bytes());
        }) {}
  ~BlockTaker() { finish(); }
  BlockTaker(const BlockTaker&) = delete;
  BlockTaker& operator=(const BlockTaker&) = delete;

  void put(SharedBlock block) { queue_.put(std::move(block)); }
  /// Returns once all that was put was taken.
  void finish() {
    queue_.end();
    if (thread_.joinable()) thread_.join();
  }

 private:
  BlockQueue queue_{};
  std::thread thread_;
};

}  // namespace podwright
