// The numbers that a regime is made of.
#pragma once

#include <tensorpath/base/random.h>
#include <tensorpath/ops/cases.h>

namespace tensorpath {

// Elements that are worth a thread's while; one stream fills as many.
inline constexpr std::int64_t kPart = 1 << 15;

// How the numbers of one tensor are drawn.
struct Drawing {
  Regime regime = Regime::kNormal;
  DType dtype = DType::kFp32;
  double limit = 0;            // largest magnitude; 0: the type's
  std::int64_t reduction = 1;  // terms of the operator's longest sum
  bool wide = false;           // kProbe: this input takes the wide integers
  std::int64_t turn = 0;       // kSpecial: which of NaN, +Inf and -Inf the first row surely holds
};

// `size` numbers in rows of `columns`; what the type cannot hold is rounded when stored.
void draw_values(const Drawing& drawing, const Key& key, std::int64_t columns,
                 std::vector<double>& values);

}  // namespace tensorpath
