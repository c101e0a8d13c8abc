// Trials made ahead of their use: contents and truths of the next cases while the compiler or the
// candidate is at work.
#pragma once

#include "trial.h"

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

namespace tensorpath {

class TrialQueue {
 public:
  struct Request {
    Case one;
    bool judged = true;  // false: without a truth
  };
  // `subject` must outlive the queue.
  TrialQueue(const Subject& subject, std::vector<Request> requests);
  TrialQueue(const TrialQueue&) = delete;
  TrialQueue& operator=(const TrialQueue&) = delete;
  ~TrialQueue();

  // The trial of each request, in their order; not to be asked for more.
  [[nodiscard]] Expected<Trial> next();

 private:
  void work();

  const Subject& subject_;
  std::vector<Request> requests_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Expected<Trial>> ready_;
  std::size_t ready_bytes_ = 0;
  bool stopped_ = false;
  std::jthread thread_;  // the last one: it uses the others
};

}  // namespace tensorpath
