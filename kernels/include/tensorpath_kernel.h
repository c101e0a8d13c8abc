/* What a host kernel is written against: element types, the thread pool, and the entry's shape.
 * The harness generates task.h beside it, with the arguments of one task, and hands both to the
 * compiler. A kernel keeps no state but in its workspace: no globals that are written, no
 * allocation, no system calls, no clocks; it may import the functions of <math.h> and memcpy,
 * memmove, memset and memcmp. */
#ifndef TENSORPATH_KERNEL_H
#define TENSORPATH_KERNEL_H

#include <cstdint>
#include <cstring>
#include <type_traits>

/* IEEE 754 binary16: arithmetic and conversions are the compiler's. */
using tp_fp16 = _Float16;

/* The upper half of a float; conversion rounds to nearest even. */
struct tp_bf16 {
  std::uint16_t bits;
};
static inline float tp_to_float(tp_bf16 x) {
  const std::uint32_t wide = static_cast<std::uint32_t>(x.bits) << 16;
  float out;
  std::memcpy(&out, &wide, sizeof out);
  return out;
}
static inline tp_bf16 tp_to_bf16(float x) {
  std::uint32_t wide;
  std::memcpy(&wide, &x, sizeof wide);
  if ((wide & 0x7FFFFFFFU) > 0x7F800000U) return {static_cast<std::uint16_t>((wide >> 16) | 0x40U)};
  wide += 0x7FFFU + ((wide >> 16) & 1U);
  return {static_cast<std::uint16_t>(wide >> 16)};
}
static inline float tp_to_float(tp_fp16 x) { return static_cast<float>(x); }
static inline float tp_to_float(float x) { return x; }
/* tp_from_float<T>(x): to the element type of a tensor. */
template <typename T>
static inline T tp_from_float(float x) {
  return static_cast<T>(x);
}
template <>
inline tp_bf16 tp_from_float<tp_bf16>(float x) {
  return tp_to_bf16(x);
}

/* Codes of narrow types are bytes: fp8_e4m3, fp8_e5m2, ue8m0, and int4, uint4 and fp4_e2m1 packed
 * two to a byte, low nibble first. */
using tp_code = std::uint8_t;

/* The harness's threads. run() calls body(context, i) once for each i in [0, tasks), in any order
 * and on any thread, and returns when all have returned. Which thread runs which task changes from
 * call to call. */
struct tp_pool {
  std::int64_t threads;
  std::int64_t isa_level; /* 1 to 4: the strongest x86-64-v level of this processor */
  void (*run)(const tp_pool* pool, std::int64_t tasks,
              void (*body)(void* context, std::int64_t task), void* context);
};
template <typename Body>
static inline void tp_parallel_for(const tp_pool* pool, std::int64_t tasks, Body&& body) {
  pool->run(
      pool, tasks,
      [](void* context, std::int64_t task) {
        (*static_cast<std::remove_reference_t<Body>*>(context))(task);
      },
      &body);
}

#endif
