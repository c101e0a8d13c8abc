#include "trial_queue.h"

namespace tensorpath {
namespace {

// Of trials that wait, beside one: enough to keep a candidate of small cases busy.
constexpr std::size_t kMostBytes = 256U << 20;

std::size_t bytes_of(const Expected<Trial>& trial) {
  if (!trial) return 0;
  std::size_t bytes = 0;
  for (const auto* tensors : {&trial->data.inputs, &trial->data.outputs}) {
    for (const TensorData& tensor : *tensors) {
      bytes += tensor.storage.size() + (tensor.values.size() + tensor.bits.size()) * 8;
    }
  }
  for (const OutputTruth& output : trial->truth) {
    bytes += (output.values.size() + output.errors.size() + output.bits.size()) * 8;
  }
  return bytes;
}

}  // namespace

TrialQueue::TrialQueue(const Subject& subject, std::vector<Request> requests)
    : subject_(subject), requests_(std::move(requests)), thread_([this] { work(); }) {}

TrialQueue::~TrialQueue() {
  const std::lock_guard<std::mutex> lock(mutex_);
  stopped_ = true;
  changed_.notify_all();
}

void TrialQueue::work() {
  for (const Request& request : requests_) {
    {
      std::unique_lock<std::mutex> lock(mutex_);
      changed_.wait(lock, [this] { return stopped_ || ready_bytes_ < kMostBytes; });
      if (stopped_) return;
    }
    auto trial = request.judged ? make_trial(subject_, request.one)
                                : make_unjudged_trial(subject_, request.one);
    const std::lock_guard<std::mutex> lock(mutex_);
    ready_bytes_ += bytes_of(trial);
    ready_.push_back(std::move(trial));
    changed_.notify_all();
  }
}

Expected<Trial> TrialQueue::next() {
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait(lock, [this] { return !ready_.empty(); });
  auto trial = std::move(ready_.front());
  ready_.pop_front();
  ready_bytes_ -= bytes_of(trial);
  changed_.notify_all();
  return trial;
}

}  // namespace tensorpath
