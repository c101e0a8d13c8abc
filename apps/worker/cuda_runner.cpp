#include "worker.h"

namespace tensorpath::worker {

int run_cuda(const WorkerOptions& /*options*/) { return 3; }

}  // namespace tensorpath::worker
