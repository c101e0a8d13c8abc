#include <array>

#include <tensorpath/harness/failure.h>

namespace tensorpath {
namespace {

struct Meaning {
  Failure failure;
  std::string_view name;
  std::string_view text;
};

constexpr std::array<Meaning, 31> kMeanings = {{
    {Failure::kNone, "none", "nothing is wrong"},
    {Failure::kBadCandidate, "bad_candidate",
     "the candidate directory does not hold what the contract asks for"},
    {Failure::kPlanInvalid, "plan_invalid", "plan.yaml cannot be used"},
    {Failure::kForbiddenInclude, "forbidden_include", "a kernel includes the allowed headers only"},
    {Failure::kForbiddenDirective, "forbidden_directive",
     "a directive that reads files or steers the compiler"},
    {Failure::kCompileError, "compile_error", "it does not compile"},
    {Failure::kCompileLimit, "compile_limit",
     "compiling it took more time, memory or output than allowed"},
    {Failure::kForbiddenImport, "forbidden_import", "it calls a function outside the allow-list"},
    {Failure::kWritableState, "writable_state",
     "it has writable globals; state belongs into the declared workspace"},
    {Failure::kLoadTimeCode, "load_time_code",
     "it has code that runs when it is loaded or unloaded"},
    {Failure::kMissingEntry, "missing_entry",
     "the entry or a kernel of the plan is not in the code object"},
    {Failure::kCrash, "crash", "it crashed"},
    {Failure::kOutOfBounds, "out_of_bounds", "it touched memory outside its buffers"},
    {Failure::kCallLimit, "call_limit", "a call took longer than the task allows"},
    {Failure::kMemoryLimit, "memory_limit", "it took more memory than the task allows"},
    {Failure::kOutputFlood, "output_flood", "it printed without end"},
    {Failure::kForbiddenCall, "forbidden_call", "it made a system call"},
    {Failure::kTimerAccess, "timer_access", "it read a clock"},
    {Failure::kEarlyExit, "early_exit", "it ended the process it runs in"},
    {Failure::kStopped, "stopped", "it stopped the process it runs in"},
    {Failure::kProtocol, "protocol", "what came back is not a reply to the call"},
    {Failure::kLeftover, "leftover", "it left processes behind"},
    {Failure::kDeviceFault, "device_fault", "the device reported a fault"},
    {Failure::kNotWritten, "not_written", "some elements were never written"},
    {Failure::kWrongResult, "wrong_result",
     "some elements differ by more than the operator allows"},
    {Failure::kWrongClass, "wrong_class",
     "NaN or infinity where a number was due, or the other way round"},
    {Failure::kPrecision, "precision",
     "errors are small, but larger than the operator's precision explains: a narrower type, a"
     " short approximation, a wrong constant"},
    {Failure::kInputChanged, "input_changed", "it wrote into an input"},
    {Failure::kStateDependent, "state_dependent", "right at first, wrong when it was called again"},
    {Failure::kInvariantBroken, "invariant_broken",
     "its results break an invariant of the operator"},
    {Failure::kSanitizer, "sanitizer",
     "a sanitizer found undefined behaviour, a bad access or a race"},
}};

}  // namespace

std::string_view name_of(Failure failure) {
  return kMeanings[static_cast<std::size_t>(failure)].name;
}
std::string_view explain(Failure failure) {
  return kMeanings[static_cast<std::size_t>(failure)].text;
}

}  // namespace tensorpath
