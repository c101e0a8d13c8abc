// `forge verify` of one host candidate, sanitizers apart: honest kernels of the corpus in their
// operators' typical shape, and one product of matrices as a language model calls it.
#include "bench.h"

#include <cstdlib>

#include <fmt/format.h>

#include <tensorpath/base/file.h>
#include <tensorpath/harness/verify.h>

namespace {

using namespace tensorpath;

struct Subject {
  const char* op;
  const char* dtype;
  const char* candidate;   // of tests/adversarial/honest
  const char* attributes;  // YAML
  const char* shape;       // YAML; empty: the typical one
  double bar_s;            // 0: none
};

constexpr Subject kSubjects[] = {
    {"elementwise_add", "fp16", "add_avx2", "", "", 3},
    {"rmsnorm", "fp16", "rmsnorm_avx2", "eps: 1.0e-5", "", 3},
    {"softmax", "fp32", "softmax_online", "", "", 3},
    {"matmul", "fp32", "matmul_packed_avx2", "", "", 10},
    {"decode_attention", "bf16", "decode_online_bf16", "", "", 10},
    {"prefill_attention", "fp16", "prefill_blocks_fp16", "", "", 10},
    {"conv2d", "fp16", "conv2d_im2col", "bias: 1", "", 10},
    {"matmul", "fp32", "matmul_packed_avx2", "", "m: 16, n: 4096, k: 4096", 0},
};

std::string worker() {
  const char* tensorpath = std::getenv("TENSORPATH");
  return std::string(tensorpath == nullptr ? "tensorpath" : tensorpath) + "-worker";
}

void measure(const Subject& subject, const Operators& operators) {
  const std::string text =
      fmt::format("op: {}\nlanguage: cpp\ndtype: {}\nattributes: {{{}}}\nshape: {{{}}}\n",
                  subject.op, subject.dtype, subject.attributes, subject.shape);
  const auto task = read_task(text, "task.yaml", operators);
  if (!task) return std::puts(task.error().to_string().c_str()), void();
  VerifyOptions options;
  options.worker = worker();
  options.sandbox = SandboxMode::kBestEffort;
  options.sanitizers = false;
  int cases = 0;
  std::string trouble;
  const auto run = [&] {
    const auto report = verify(
        *task,
        fmt::format("{}/tests/adversarial/honest/{}", TENSORPATH_SOURCE_DIR, subject.candidate),
        options);
    if (!report || !report->passed) {
      trouble = report ? std::string(name_of(report->failure)) : report.error().to_string();
    } else {
      cases = report->cases;
    }
  };
  const double seconds =
      subject.bar_s == 0 ? bench::seconds_of(run) : bench::median_seconds(3, run);
  const std::string what = fmt::format("verify {} {}, {} cases", subject.op, subject.dtype, cases);
  if (!trouble.empty()) return bench::no_budget(what, trouble);
  if (subject.bar_s == 0) {
    std::printf("%s at %s: %.1f s\n", what.c_str(), subject.shape, seconds);
  } else {
    bench::budget(what, seconds, "s", subject.bar_s, bench::Bar::kAtMost);
  }
}

}  // namespace

int main() {
  const auto operators = Operators::load({TENSORPATH_SOURCE_DIR "/kernels/ops"});
  if (!operators) {
    bench::no_budget("verify", operators.error().to_string());
    return 1;
  }
  for (const Subject& subject : kSubjects) measure(subject, *operators);
  return 0;
}
