#include "host_environment.h"

#include <fstream>

#include <fmt/format.h>
#include <sys/utsname.h>

#include <tensorpath/harness/ceilings.h>
#include <tensorpath/harness/task.h>

namespace tensorpath {
namespace {

// The value of the first line "key : value" of /proc/cpuinfo.
std::string cpuinfo(std::string_view key) {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(':');
    if (!line.starts_with(key) || colon == std::string::npos) continue;
    const std::size_t value = line.find_first_not_of(" \t", colon + 1);
    return value == std::string::npos ? "" : line.substr(value);
  }
  return {};
}

Json first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  return std::getline(file, line) ? Json(line) : Json(nullptr);
}

Json clock_mhz(int core) {
  std::ifstream file(fmt::format("/sys/devices/system/cpu/cpu{}/cpufreq/scaling_cur_freq", core));
  double khz = 0;
  if (file >> khz) return json_number(khz / 1e3);
  return nullptr;
}

}  // namespace

std::string host_processor() { return cpuinfo("model name"); }

std::string load_average() {
  const Json line = first_line("/proc/loadavg");
  return line.is_null() ? "" : line.get<std::string>();
}

Json host_environment(const Cores& cores) {
  utsname system{};
  (void)::uname(&system);
  Json clocks = Json::array();
  for (const int core : cores.worker) clocks.push_back(clock_mhz(core));
  const std::string cpufreq =
      fmt::format("/sys/devices/system/cpu/cpu{}/cpufreq/", cores.worker.front());
  return {{"processor", host_processor()},
          {"isa_level", host_level()},
          {"microcode", cpuinfo("microcode")},
          {"hypervisor", cpuinfo("flags").find(" hypervisor") != std::string::npos},
          {"kernel", fmt::format("{} {}", system.sysname, system.release)},
          {"harness_core", cores.harness},
          {"worker_cores", cores.worker},
          {"clock_mhz", clocks},
          {"nominal_mhz", cpuinfo("cpu MHz")},
          {"governor", first_line(cpufreq + "scaling_governor")},
          {"load_before", load_average()}};
}

}  // namespace tensorpath
