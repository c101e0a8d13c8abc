// Reads a built code object with the toolchain's own disassembler, in the compiler's sandbox: the
// object is the candidate's.
#pragma once

#include "device.h"

#include <tensorpath/harness/emitted_code.h>

namespace tensorpath {

// A disassembler that is not there or does not understand the object gives an answer that says so;
// an Error is the sandbox's.
[[nodiscard]] Expected<EmittedCode> read_emitted_code(const Subject& subject, const Built& built);

}  // namespace tensorpath
