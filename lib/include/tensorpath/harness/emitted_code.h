// What the compiler made of a candidate: instructions counted by family, held against what its plan
// says it expects. A path that was meant to use matrix units and does not is found here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensorpath/base/json.h>
#include <tensorpath/harness/task.h>

namespace tensorpath {

struct EmittedCode {
  std::string tool;               // "objdump"; empty: nothing was read
  std::string not_read;           // why, where it was not
  std::int64_t instructions = 0;  // all of them
  // Those that occur, in the order of instruction_families(). One instruction may be of several.
  std::vector<std::pair<std::string, std::int64_t>> families;
  std::vector<std::string> expected;  // by the plan
  std::vector<std::string> absent;    // expected, and not there; empty where nothing was read

  [[nodiscard]] bool known() const { return !tool.empty(); }
  // "avx512 120, fma 64"
  [[nodiscard]] std::string to_text() const;
};
[[nodiscard]] Json to_json(const EmittedCode& code);

// The name of the finding that a report has for code that is not there.
inline constexpr std::string_view kExpectedCodeAbsent = "expected_code_absent";

// The families that a plan may expect; tensorpath-candidate(5) says what each is.
[[nodiscard]] std::vector<std::string> instruction_families(DeviceKind device);

// Out of what `objdump -d` prints of a code object of x86-64, and what cuobjdump -sass or nvdisasm
// print of a cubin. Lines that are no instructions are passed over.
[[nodiscard]] EmittedCode count_instructions(DeviceKind device, std::string_view listing);

// Fills `absent`.
void hold_against(EmittedCode& code, const std::vector<std::string>& expected);

}  // namespace tensorpath
