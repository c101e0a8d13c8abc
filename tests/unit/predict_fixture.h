// Shipped catalog and calibration, loaded once, and layouts by name.
#pragma once

#include "catch.h"

#include <stdexcept>
#include <string>

#include <tensorpath/predict.h>

namespace tensorpath::test {

inline std::vector<std::string> predict_data() {
  return {std::string(TENSORPATH_SOURCE_DIR) + "/data"};
}

template <typename T>
T must(Expected<T> expected) {
  if (!expected) throw std::runtime_error(expected.error().to_string());
  return std::move(*expected);
}

inline Catalog& predict_catalog() {
  static Catalog catalog = must(Catalog::load(predict_data()));
  return catalog;
}

inline const Calibration& predict_calibration() {
  static const Calibration calibration = must(Calibration::load(predict_data()));
  return calibration;
}

inline Layout layout_of(const std::string& model, const std::string& gpu, const std::string& engine,
                        const std::string& weight, int tp = 1, const std::string& kv = "bf16") {
  Catalog& catalog = predict_catalog();
  Layout layout;
  layout.model = must(catalog.model(model));
  layout.gpu = must(catalog.gpu(gpu));
  layout.engine = must(catalog.engine(engine));
  layout.weight = must(catalog.format(weight));
  layout.kv = catalog.find_kv_format(kv);
  REQUIRE(layout.kv != nullptr);
  layout.tp = tp;
  return layout;
}

inline StepModel compiled(const Layout& layout) { return compile(layout, predict_calibration()); }

inline Operating closed_loop(double concurrency, double isl, double osl) {
  Operating op;
  op.concurrency = concurrency;
  op.isl_mean = op.isl_p50 = op.isl_p95 = isl;
  op.osl_mean = op.osl_p50 = op.osl_p95 = osl;
  return op;
}

inline Operating open_load(double rate_rps, double isl, double osl) {
  Operating op = closed_loop(0, isl, osl);
  op.rate_rps = rate_rps;
  return op;
}

}  // namespace tensorpath::test
