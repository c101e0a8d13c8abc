/* Integer formulas as the kernel was judged by them: 64 bits, and what overflows, divides by zero
 * or rounds a negative number has no value instead of a wrong one. C and C++. */
#ifndef TENSORPATH_FORMULA_H
#define TENSORPATH_FORMULA_H

#include <stdint.h>

struct tpx_number {
  int64_t value;
  int valid;
};
typedef struct tpx_number tpx_number;

static inline tpx_number tpx_make(int64_t value, int valid) {
  tpx_number out;
  out.value = valid ? value : 0;
  out.valid = valid;
  return out;
}
static inline tpx_number tpx_of(int64_t value) { return tpx_make(value, 1); }
static inline tpx_number tpx_add(tpx_number a, tpx_number b) {
  int64_t out = 0;
  const int over = __builtin_add_overflow(a.value, b.value, &out);
  return tpx_make(out, a.valid && b.valid && !over);
}
static inline tpx_number tpx_subtract(tpx_number a, tpx_number b) {
  int64_t out = 0;
  const int over = __builtin_sub_overflow(a.value, b.value, &out);
  return tpx_make(out, a.valid && b.valid && !over);
}
static inline tpx_number tpx_multiply(tpx_number a, tpx_number b) {
  int64_t out = 0;
  const int over = __builtin_mul_overflow(a.value, b.value, &out);
  return tpx_make(out, a.valid && b.valid && !over);
}
static inline int tpx_divides(tpx_number a, tpx_number b) {
  return a.valid && b.valid && b.value != 0 && !(a.value == INT64_MIN && b.value == -1);
}
static inline tpx_number tpx_divide(tpx_number a, tpx_number b) {
  return tpx_divides(a, b) ? tpx_of(a.value / b.value) : tpx_make(0, 0);
}
static inline tpx_number tpx_modulo(tpx_number a, tpx_number b) {
  return tpx_divides(a, b) ? tpx_of(a.value % b.value) : tpx_make(0, 0);
}
static inline tpx_number tpx_equal(tpx_number a, tpx_number b) {
  return tpx_make(a.value == b.value, a.valid && b.valid);
}
static inline tpx_number tpx_not_equal(tpx_number a, tpx_number b) {
  return tpx_make(a.value != b.value, a.valid && b.valid);
}
static inline tpx_number tpx_less(tpx_number a, tpx_number b) {
  return tpx_make(a.value < b.value, a.valid && b.valid);
}
static inline tpx_number tpx_less_equal(tpx_number a, tpx_number b) {
  return tpx_make(a.value <= b.value, a.valid && b.valid);
}
static inline tpx_number tpx_negate(tpx_number a) {
  return a.value == INT64_MIN ? tpx_make(0, 0) : tpx_make(-a.value, a.valid);
}
static inline tpx_number tpx_not(tpx_number a) { return tpx_make(a.value == 0, a.valid); }
/* Of these three the side that does not count may have no value. */
static inline tpx_number tpx_and(tpx_number a, tpx_number b) {
  if (a.valid && a.value == 0) return tpx_of(0);
  return tpx_make(b.value != 0, a.valid && b.valid);
}
static inline tpx_number tpx_or(tpx_number a, tpx_number b) {
  if (a.valid && a.value != 0) return tpx_of(1);
  return tpx_make(b.value != 0, a.valid && b.valid);
}
static inline tpx_number tpx_choose(tpx_number a, tpx_number yes, tpx_number no) {
  if (!a.valid) return a;
  return a.value != 0 ? yes : no;
}
static inline tpx_number tpx_min(tpx_number a, tpx_number b) {
  return tpx_make(a.value < b.value ? a.value : b.value, a.valid && b.valid);
}
static inline tpx_number tpx_max(tpx_number a, tpx_number b) {
  return tpx_make(a.value < b.value ? b.value : a.value, a.valid && b.valid);
}
static inline tpx_number tpx_ceil_div(tpx_number a, tpx_number b) {
  if (!a.valid || !b.valid || b.value <= 0 || a.value < 0) return tpx_make(0, 0);
  return tpx_of(a.value / b.value + (a.value % b.value != 0));
}
static inline tpx_number tpx_round_up(tpx_number a, tpx_number b) {
  return tpx_multiply(tpx_ceil_div(a, b), b);
}
static inline tpx_number tpx_log2_ceil(tpx_number a) {
  int power = 0;
  if (!a.valid || a.value < 1 || a.value > ((int64_t)1 << 62)) return tpx_make(0, 0);
  while (((int64_t)1 << power) < a.value) ++power;
  return tpx_of(power);
}
static inline tpx_number tpx_pow2_ceil(tpx_number a) {
  const tpx_number power = tpx_log2_ceil(a);
  return power.valid ? tpx_of((int64_t)1 << power.value) : power;
}

#endif
