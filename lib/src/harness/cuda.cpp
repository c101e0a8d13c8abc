// The cuda device: kernels compiled by nvcc to a cubin, which a worker loads through the driver's
// interface and launches as the plan says.
#include "cuda_build.h"
#include "cuda_object.h"
#include "cuda_session.h"
#include "device.h"
#include "torch_worker.h"

#include <fmt/format.h>

#include <tensorpath/base/file.h>

namespace tensorpath {
namespace {

class CudaDevice : public Device {
 public:
  explicit CudaDevice(CudaToolkit toolkit) : toolkit_(std::move(toolkit)) {}

  [[nodiscard]] Refusal scan_source(const Subject& subject) const override {
    if (subject.options.library) return {};
    return subject.defences.source_scan ? scan_cuda_source(subject) : Refusal{};
  }

  [[nodiscard]] Expected<Built> build(const Subject& subject, Build build) const override {
    if (subject.options.library) return build_torch(subject);
    return build_cubin(toolkit_, subject, build);
  }

  [[nodiscard]] Expected<Refusal> scan_object(const Subject& subject,
                                              const Built& built) const override {
    if (subject.options.library) return Refusal{};
    const auto bytes = read_file(built.path, 64U << 20);
    if (!bytes) return tl::unexpected(bytes.error());
    const auto ptx = read_file(built.path.substr(0, built.path.rfind('.')) + ".ptx", 64U << 20);
    if (!ptx) return tl::unexpected(ptx.error());
    return scan_cubin(*bytes, *ptx, subject.candidate.plan, subject.defences);
  }

  // compute-sanitizer needs more of a driver than a kernel does; where it does not work there is no
  // instrumented build.
  [[nodiscard]] std::vector<Build> instrumented(const Subject& subject) const override {
    if (subject.options.library || !probe_gpu(toolkit_, subject.options, true)) return {};
    std::vector<Build> builds = {Build::kAddress};
    // Its racecheck watches shared memory.
    const std::string* source = subject.candidate.find("kernel.cu");
    if (source != nullptr && source->find("__shared__") != std::string::npos) {
      builds.push_back(Build::kThread);
    }
    return builds;
  }

  [[nodiscard]] Expected<std::unique_ptr<Session>> start(const Subject& subject, const Built& built,
                                                         Build build) const override {
    return start_cuda_session(toolkit_, subject, built, build);
  }

 private:
  CudaToolkit toolkit_;
};

}  // namespace

Expected<std::unique_ptr<Device>> make_cuda_device() {
  auto toolkit = find_cuda_toolkit();
  if (!toolkit) return tl::unexpected(toolkit.error());
  return std::make_unique<CudaDevice>(std::move(*toolkit));
}

}  // namespace tensorpath
