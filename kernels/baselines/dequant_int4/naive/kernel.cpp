// Each code less its zero point, times the scale of its group.
#include "task.h"

namespace {

using T = std::remove_const_t<std::remove_pointer_t<decltype(task_args::w)>>;

int code_at(const tp_code* codes, std::int64_t i) { return codes[i / 2] >> (i % 2 * 4) & 0xF; }

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  const std::int64_t n = args->n;
  tp_parallel_for(pool, args->k, [&](std::int64_t row) {
    const std::int64_t group = row / args->group;
    const tp_code* codes = args->codes + row * n / 2;
    const tp_code* zeros = args->zeros + group * n / 2;
    const T* scales = args->scales + group * n;
    T* w = args->w + row * args->w_stride;
    for (std::int64_t j = 0; j < n; ++j) {
      const int zero = args->symmetric != 0 ? 8 : code_at(zeros, j);
      const auto difference = static_cast<float>(code_at(codes, j) - zero);
      w[j] = tp_from_float<T>(difference * tp_to_float(scales[j]));
    }
  });
}
