// Why a candidate was turned down: one name for each kind of violation, stable for scripts.
#pragma once

#include <string>
#include <string_view>

namespace tensorpath {

enum class Failure : std::uint8_t {
  kNone,
  // The candidate as it was handed in.
  kBadCandidate,        // a file is missing, too large, or has no business there
  kPlanInvalid,         // plan.yaml
  kForbiddenInclude,    // #include of anything but the allowed headers
  kForbiddenDirective,  // inline assembly that includes files, pragmas that load plugins
  // Compiling it.
  kCompileError,
  kCompileLimit,  // time, memory, processes or output
  // The code object.
  kForbiddenImport,  // a function outside the allow-list
  kWritableState,    // globals that are written
  kLoadTimeCode,     // constructors, destructors, resolvers
  kMissingEntry,
  // Running it.
  kCrash,
  kOutOfBounds,  // a read or write past a buffer
  kCallLimit,    // a call took too long
  kMemoryLimit,
  kOutputFlood,
  kForbiddenCall,  // a system call
  kTimerAccess,    // rdtsc and its like
  kEarlyExit,      // the process ended by itself
  kStopped,        // the process stopped itself
  kProtocol,       // a reply that is malformed, truncated or not of this call
  kLeftover,       // processes left behind
  kDeviceFault,    // an illegal address, a trap, a launch that failed
  // Its results.
  kNotWritten,  // elements were left as they were before the call
  kWrongResult,
  kWrongClass,  // NaN or infinity where a number was due, or the other way round
  kPrecision,   // only sums that leave no room for a cheaper type are off
  kInputChanged,
  kStateDependent,  // right at first, wrong when called again
  kInvariantBroken,
  kSanitizer,  // AddressSanitizer, UndefinedBehaviorSanitizer or ThreadSanitizer
};

[[nodiscard]] std::string_view name_of(Failure failure);  // "out_of_bounds"
// What it means and what to look at, in a sentence for the author.
[[nodiscard]] std::string_view explain(Failure failure);

}  // namespace tensorpath
