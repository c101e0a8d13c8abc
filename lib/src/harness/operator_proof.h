// The mutation check of a compiled operator, in a process of its own: a reference may crash, write
// where it must not, or never end.
#pragma once

#include <string>

#include <tensorpath/base/error.h>
#include <tensorpath/ops/operator.h>

namespace tensorpath {

// `spec` has no reference yet; `object` is the path of the one to check. An Error lists what does
// not hold, the file of the operator in front.
[[nodiscard]] Status prove_apart(const OperatorSpec& spec, const std::string& object,
                                 double seconds);

}  // namespace tensorpath
