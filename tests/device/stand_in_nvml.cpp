// A stand-in for libnvidia-ml.so.1 with one GPU at 0000:01:00.0. STAND_IN_NVML says what is wrong
// with it: "busy", "throttled", "idle" (the clock is down, and nothing is wrong), "mute".
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace {

constexpr int kNotSupported = 3, kNotFound = 6, kInsufficientSize = 7;

bool is(std::string_view wanted) {
  const char* mode = std::getenv("STAND_IN_NVML");
  return mode != nullptr && mode == wanted;
}

int tell(char* to, unsigned size, const char* text) {
  if (is("mute")) return kNotSupported;
  std::strncpy(to, text, size);
  return 0;
}

int tell(unsigned* to, unsigned value) {
  if (is("mute")) return kNotSupported;
  *to = value;
  return 0;
}

}  // namespace

extern "C" {

int nvmlInit_v2() { return 0; }
int nvmlSystemGetDriverVersion(char* to, unsigned size) { return tell(to, size, "580.1"); }
int nvmlDeviceGetHandleByPciBusId_v2(const char* bus, void** device) {
  static int one = 0;
  *device = &one;
  return std::string_view(bus) == "0000:01:00.0" ? 0 : kNotFound;
}
int nvmlDeviceGetUUID(void* /*of*/, char* to, unsigned size) {
  return tell(to, size, "GPU-00000000-1111-2222-3333-444444444444");
}
int nvmlDeviceGetName(void* /*of*/, char* to, unsigned size) { return tell(to, size, "stand-in"); }
int nvmlDeviceGetMigMode(void* /*of*/, unsigned* /*current*/, unsigned* /*pending*/) {
  return kNotSupported;
}
int nvmlDeviceGetEccMode(void* /*of*/, int* current, int* pending) {
  *current = *pending = 1;
  return is("mute") ? kNotSupported : 0;
}
int nvmlDeviceGetClockInfo(void* /*of*/, int which, unsigned* to) {
  return tell(to, which == 1 ? 1980U : 3201U);
}
int nvmlDeviceGetTemperature(void* /*of*/, int /*sensor*/, unsigned* to) { return tell(to, 41); }
int nvmlDeviceGetPowerUsage(void* /*of*/, unsigned* to) { return tell(to, 123'456); }
// The name that drivers had before 2023.
int nvmlDeviceGetCurrentClocksThrottleReasons(void* /*of*/, unsigned long long* to) {
  *to = is("throttled") ? 0x24 : is("idle") ? 0x1 : 0;
  return is("mute") ? kNotSupported : 0;
}
int nvmlDeviceGetComputeRunningProcesses_v3(void* /*of*/, unsigned* count, void* infos) {
  const unsigned room = *count;
  *count = is("busy") ? 2 : 0;
  if (*count > room) return kInsufficientSize;
  const unsigned process = 4321;
  if (*count > 0) std::memcpy(infos, &process, sizeof process);
  return is("mute") ? kNotSupported : 0;
}
}
