// The defences of the harness, each of which can be switched off for one purpose: to prove, with
// the corpus of cheats, that it is this defence that catches its cheat. The command offers no way
// to do so, and a verdict reached without all of them never says that a candidate passed.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tensorpath {

struct Defences {
  bool source_scan = true;     // includes and directives of the source
  bool compile_view = true;    // the compiler sees the toolchain and the candidate only
  bool compile_limits = true;  // on the compiler's time and memory
  bool import_scan = true;     // functions that the code object imports
  bool state_scan = true;      // its writable sections
  bool load_scan = true;       // its constructors and resolvers
  bool system_calls = true;    // the worker's seccomp filter
  bool timer_trap = true;      // rdtsc faults
  bool call_limit = true;      // on the time of a call
  bool memory_limit = true;    // on the worker's memory
  bool guards = true;          // pages around buffers, padding and slack that must stay
  bool input_check = true;     // inputs are as they were
  bool poison = true;          // outputs and workspace are poisoned before each call
  bool fresh_contents = true;  // repeated calls get new contents (off: the same again)
  bool moving_buffers = true;  // buffers move between calls
  bool freeze = true;          // the worker is stopped before its outputs are read (off: soon)
  bool replies = true;         // only the reply to this very call counts (off: any, or status 0)
  bool steady = true;          // the gate of repeated calls in one process
  bool classes = true;         // NaN and infinity are compared (off: NaN equals anything)
  bool bound = true;           // the analysed bound (off: 2% relative and absolute)
  bool every_element = true;   // (off: 1% of the elements may differ)
  bool regimes = true;         // (off: normal contents only)
  bool shapes = true;          // (off: the typical shape only)
  bool layouts = true;         // (off: contiguous and aligned only)
  bool holdout = true;         // hidden cases (off: the public ones alone decide)
  bool sanitizers = true;      // ASan, UBSan, TSan

  // Names of those that are off.
  [[nodiscard]] std::vector<std::string> off() const;
  // nullopt when there is no defence of that name.
  [[nodiscard]] static std::optional<Defences> without(const std::vector<std::string>& names);
  [[nodiscard]] static std::vector<std::string> names();
};

}  // namespace tensorpath
