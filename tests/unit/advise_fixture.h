// The shipped data, loaded once, and short ways to ask for a recommendation.
#pragma once

#include "catch.h"

#include <stdexcept>
#include <string>

#include <fmt/format.h>

#include <tensorpath/advise.h>

namespace tensorpath::test {

inline std::vector<std::string> shipped_data() {
  return {std::string(TENSORPATH_SOURCE_DIR) + "/data"};
}

template <typename T>
T value_or_throw(Expected<T> expected) {
  if (!expected) throw std::runtime_error(expected.error().to_string());
  return std::move(*expected);
}

struct Shipped {
  Catalog catalog = value_or_throw(Catalog::load(shipped_data()));
  Calibration calibration = value_or_throw(Calibration::load(shipped_data()));
  Advisor advisor{catalog, calibration};

  Workload workload(const std::string& yaml) {
    return value_or_throw(parse_workload(yaml, "test.yaml", catalog));
  }
  Workload shipped_workload(const std::string& name) {
    return value_or_throw(
        read_workload(fmt::format("{}/data/workloads/{}", TENSORPATH_SOURCE_DIR, name), catalog));
  }
  Recommendation recommend(const Workload& workload, AdviseOptions options = {}) {
    options.today = "2026-08-21";
    return value_or_throw(advisor.recommend(workload, options));
  }
};

// Loading takes longer than any test: one for the executable.
inline Shipped& shipped() {
  static Shipped instance;
  return instance;
}

inline AdviseOptions screening(int top = 1000) {
  AdviseOptions options;
  options.top = top;
  options.screen_only = true;
  return options;
}

// Model, GPU, engine, weight format: what the recommender calls one choice.
inline std::string choice_of(const Plan& plan) {
  const Layout& l = plan.candidate.layout;
  return fmt::format("{} {} {} {}", l.model->name, l.gpu->name, l.engine->name, l.weight->name);
}

}  // namespace tensorpath::test
