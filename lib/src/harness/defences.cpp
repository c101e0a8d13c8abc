#include "defences.h"

#include <algorithm>
#include <array>

namespace tensorpath {
namespace {

struct Named {
  std::string_view name;
  bool Defences::*member;
};

constexpr std::array<Named, 26> kNamed = {{
    {"source_scan", &Defences::source_scan},
    {"compile_view", &Defences::compile_view},
    {"compile_limits", &Defences::compile_limits},
    {"import_scan", &Defences::import_scan},
    {"state_scan", &Defences::state_scan},
    {"load_scan", &Defences::load_scan},
    {"system_calls", &Defences::system_calls},
    {"timer_trap", &Defences::timer_trap},
    {"call_limit", &Defences::call_limit},
    {"memory_limit", &Defences::memory_limit},
    {"guards", &Defences::guards},
    {"input_check", &Defences::input_check},
    {"poison", &Defences::poison},
    {"fresh_contents", &Defences::fresh_contents},
    {"moving_buffers", &Defences::moving_buffers},
    {"freeze", &Defences::freeze},
    {"replies", &Defences::replies},
    {"steady", &Defences::steady},
    {"classes", &Defences::classes},
    {"bound", &Defences::bound},
    {"every_element", &Defences::every_element},
    {"regimes", &Defences::regimes},
    {"shapes", &Defences::shapes},
    {"layouts", &Defences::layouts},
    {"holdout", &Defences::holdout},
    {"sanitizers", &Defences::sanitizers},
}};

}  // namespace

std::vector<std::string> Defences::off() const {
  std::vector<std::string> names;
  for (const Named& named : kNamed) {
    if (!(this->*named.member)) names.emplace_back(named.name);
  }
  return names;
}

std::optional<Defences> Defences::without(const std::vector<std::string>& off) {
  Defences defences;
  for (const std::string& name : off) {
    const auto* const found = std::find_if(kNamed.begin(), kNamed.end(),
                                           [&](const Named& named) { return named.name == name; });
    if (found == kNamed.end()) return std::nullopt;
    defences.*found->member = false;
  }
  return defences;
}

std::vector<std::string> Defences::names() {
  std::vector<std::string> names;
  for (const Named& named : kNamed) names.emplace_back(named.name);
  return names;
}

}  // namespace tensorpath
