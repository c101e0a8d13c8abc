// The language in which an operator's truth is written (kernels/reference/<op>.cpp).
//
// A reference is a function template over the kind of number it computes with:
//   template <typename Number> void rmsnorm(const Call& call) { ... }
//   TENSORPATH_REFERENCE(rmsnorm)
// With Exact it yields, for each element, the float64 value and how far from it a legal fp32
// implementation may be: a running error analysis (Wilkinson; Higham, "Accuracy and Stability of
// Numerical Algorithms", 2nd ed., section 3.3), each operation adding its own rounding. With
// Emulated the same text runs in fp32, in several summation orders and accumulation types; the
// harness proves itself with it (right orders pass, cheaper accumulations are caught).
//
// Everything under it stands on the standard library alone, so that an operator from outside
// (--ops DIR) compiles against this header anywhere. Tensors are row-major and contiguous here
// whatever their layout in the candidate's memory, and their elements are numbers whatever their
// type.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include <tensorpath/ops/reference/call.h>
#include <tensorpath/ops/reference/dot.h>
#include <tensorpath/ops/reference/number.h>
#include <tensorpath/ops/reference/sum.h>

namespace tensorpath::reference {

// What a reference file offers. The judge is null unless an output's rule asks for one.
struct Entry {
  const char* name;
  void (*truth)(const Call& call);
  void (*judge)(const Call& call, const Tensor* written, Judgement& judgement);
};

}  // namespace tensorpath::reference

// Written outside any namespace, after the reference's own.
// A template's name takes no parentheses. NOLINTBEGIN(bugprone-macro-parentheses)
#define TENSORPATH_REFERENCE_ENTRY(op, judge_function)                          \
  extern "C" __attribute__((visibility("default")))                             \
  const ::tensorpath::reference::Entry tensorpath_reference_##op;               \
  const ::tensorpath::reference::Entry tensorpath_reference_##op = {            \
      #op,                                                                      \
      [](const ::tensorpath::reference::Call& call) {                           \
        call.emulation != nullptr ? op<::tensorpath::reference::Emulated>(call) \
                                  : op<::tensorpath::reference::Exact>(call);   \
      },                                                                        \
      judge_function};
#define TENSORPATH_REFERENCE(op) TENSORPATH_REFERENCE_ENTRY(op, nullptr)
#define TENSORPATH_REFERENCE_WITH_JUDGE(op, judge_function) \
  TENSORPATH_REFERENCE_ENTRY(op, judge_function)
// NOLINTEND(bugprone-macro-parentheses)
