// New keys and values into the slots of a paged cache; all else in the cache stays.
#include <tensorpath/ops/reference.h>

namespace {

using namespace tensorpath::reference;

void append(const Call& call, const char* name, const char* cache_name) {
  const Tensor& rows = call.input(name);
  const Tensor& before = call.input(cache_name);
  const Tensor& slots = call.input("slot_mapping");
  const Output& cache = call.output(cache_name);
  const std::int64_t width = call.dim("kv_heads") * call.dim("head_dim");
  for (std::int64_t i = 0; i < cache.size; ++i) cache.move(i, before, i);
  for (std::int64_t token = 0; token < call.dim("tokens"); ++token) {
    const std::int64_t slot = slots.integer(token);
    if (slot < 0) continue;
    for (std::int64_t i = 0; i < width; ++i) {
      cache.move(slot * width + i, rows, token * width + i);
    }
  }
}

template <typename Number>
void kv_cache_append(const Call& call) {
  append(call, "key", "key_cache");
  append(call, "value", "value_cache");
}

}  // namespace

TENSORPATH_REFERENCE(kv_cache_append)
