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
#include <initializer_list>
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

constexpr std::uint64_t layout_of(std::initializer_list<std::size_t> parts) {
  std::uint64_t hash = 0xcbf29ce484222325U;  // FNV-1a
  for (const std::size_t part : parts) hash = (hash ^ part) * 0x100000001b3U;
  return hash;
}
// What both sides of a call must agree on, so that an object that was compiled against another of
// these headers is refused, never misread. The first number grows with every change of meaning or
// order; sizes tell the rest.
inline constexpr std::uint64_t kLayout =
    layout_of({1, sizeof(Entry), sizeof(Call), sizeof(Tensor), sizeof(Output), sizeof(Rounding),
               sizeof(Emulation), sizeof(NamedInteger), sizeof(NamedNumber), sizeof(std::string)});

}  // namespace tensorpath::reference

// Written outside any namespace, after the reference's own.
// A template's name takes no parentheses. NOLINTBEGIN(bugprone-macro-parentheses)
#define TENSORPATH_REFERENCE_ENTRY(op, judge_function)                                          \
  extern "C" __attribute__((visibility("default"))) const std::uint64_t tensorpath_layout_##op; \
  const std::uint64_t tensorpath_layout_##op = ::tensorpath::reference::kLayout;                \
  extern "C" __attribute__((visibility("default")))                                             \
  const ::tensorpath::reference::Entry tensorpath_reference_##op;                               \
  const ::tensorpath::reference::Entry tensorpath_reference_##op = {                            \
      #op,                                                                                      \
      [](const ::tensorpath::reference::Call& call) {                                           \
        call.emulation != nullptr ? op<::tensorpath::reference::Emulated>(call)                 \
                                  : op<::tensorpath::reference::Exact>(call);                   \
      },                                                                                        \
      judge_function};
#define TENSORPATH_REFERENCE(op) TENSORPATH_REFERENCE_ENTRY(op, nullptr)
#define TENSORPATH_REFERENCE_WITH_JUDGE(op, judge_function) \
  TENSORPATH_REFERENCE_ENTRY(op, judge_function)
// NOLINTEND(bugprone-macro-parentheses)
