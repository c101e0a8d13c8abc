// validate: the file's mistakes are named, its rows counted, its own calibration left out.
#include "predict/csv.h"
#include "predict_fixture.h"
#include "profile/validate_harness.h"
#include "profile/validate_rows.h"

#include <filesystem>
#include <fstream>

#include <unistd.h>

#include <tensorpath/base/file.h>
#include <tensorpath/validate.h>

using namespace tensorpath;
using namespace tensorpath::test;

namespace {

const std::string kHeader =
    "model,gpu,n_gpus,backend,backend_version,quant,tp,ep,attention_dp,concurrency,isl,osl,"
    "length_ratio,ttft_ms_mean,tpot_ms_mean,measured_on,origin\n";

class File {
 public:
  explicit File(const std::string& text) {
    static int count = 0;
    path_ =
        (std::filesystem::temp_directory_path() /
         ("validate_test_" + std::to_string(::getpid()) + "_" + std::to_string(count++) + ".csv"))
            .string();
    std::ofstream(path_) << text;
  }
  ~File() { std::filesystem::remove(path_); }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::string row(const std::string& model, const std::string& gpu, const std::string& backend,
                int concurrency, double ttft, double tpot, const std::string& quant = "fp8") {
  return model + "," + gpu + ",1," + backend + ",," + quant + ",1,,," +
         std::to_string(concurrency) + ",1024,1024,0.9," + std::to_string(ttft) + "," +
         std::to_string(tpot) + ",,x\n";
}

Expected<ValidationReport> run(const std::string& text, bool calibrate = false) {
  const File file(text);
  return validate(file.path(), predict_catalog(), predict_calibration(), predict_data(), calibrate);
}

std::string error_of(const std::string& text) {
  const auto report = run(text);
  REQUIRE_FALSE(report);
  CHECK(report.error().exit_code == ExitCode::kUsage);
  return report.error().to_string();
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("Mistakes in the file are named by line and column") {
  const std::string good = row("llama-3.1-8b", "h100_sxm", "vllm", 4, 100, 10);
  CHECK(has(error_of(""), "empty file"));
  CHECK(has(error_of(kHeader), "no rows"));
  std::string unknown = kHeader;
  unknown.replace(unknown.find("concurrency"), 11, "concurency");
  const std::string message = error_of(unknown + good);
  CHECK(has(message, ":1:"));
  CHECK(has(message, "concurrency"));
  std::string bad = good;
  bad.replace(bad.find("1024"), 4, "1O24");
  CHECK(has(error_of(kHeader + good + bad), ":3:"));
  CHECK(has(error_of(kHeader + good + bad), "'isl' must be a finite number"));
  bad = good;
  bad.replace(bad.find("100.0"), 5, "-12.5");
  CHECK(has(error_of(kHeader + bad), "'ttft_ms_mean'"));
  bad = good;
  bad.replace(bad.find("100.0"), 5, "nan.0");
  CHECK(has(error_of(kHeader + bad), "'ttft_ms_mean'"));
  CHECK(has(error_of(kHeader + "a,b\n"), "this row has 2 cells"));
  CHECK(has(error_of(kHeader + "\"never closed\n"), "never closed"));
}

TEST_CASE("CSV quoting follows RFC 4180") {
  const auto table = perf::parse_csv(
      "\xEF\xBB\xBF"
      "a,b\r\n\"x, \"\"y\"\"\nz\",2\r\n\r\n3,\r\n",
      "t.csv");
  REQUIRE(table);
  REQUIRE(table->rows.size() == 2);
  CHECK(table->header[0].text == "a");
  CHECK(table->rows[0][0].text == "x, \"y\"\nz");
  CHECK(table->rows[0][1].line == 3);
  CHECK(table->rows[1][0].line == 5);
  CHECK(table->rows[1][1].text.empty());
  CHECK_FALSE(perf::parse_csv("a,a\n1,2\n", "t.csv"));
  CHECK_FALSE(perf::parse_csv("a,b\n1\"2,3\n", "t.csv"));
  CHECK_FALSE(perf::parse_csv("a,b\n\"1\"2,3\n", "t.csv"));
}

TEST_CASE("Rows that cannot be predicted are listed with a reason, the others counted") {
  const auto report = run(kHeader + row("llama-3.1-8b", "h100_sxm", "vllm", 4, 100, 10) +
                          row("no-such-model", "h100_sxm", "vllm", 4, 100, 10) +
                          row("llama-3.1-8b", "h100_smx", "vllm", 4, 100, 10) +
                          row("llama-3.1-405b", "h100_sxm", "vllm", 4, 100, 10) +
                          row("llama-3.1-8b", "h100_sxm", "vllm", 4096, 0.1, 0.01));
  REQUIRE(report);
  CHECK(report->rows == 5);
  CHECK(report->predictions.size() == 1);
  REQUIRE(report->skipped.size() == 4);
  CHECK(has(report->skipped[0].reason, "no-such-model"));
  CHECK(report->skipped[0].line == 3);
  CHECK(has(report->skipped[1].reason, "h100_smx"));
  CHECK(has(report->skipped[2].reason, "weights leave no room"));
  CHECK(has(report->skipped[3].reason, "data sheet"));
}

TEST_CASE("Groups go by canonical names, whatever the alias and the format") {
  const auto report =
      run(kHeader + row("meta-llama/Llama-3.1-70B", "b200_sxm", "vllm", 4, 100, 10, "fp8") +
          row("llama-3.1-70b", "b200_sxm", "vllm", 8, 100, 10, "fp4") +
          row("llama-3.1-70b", "b200_sxm", "trtllm", 8, 100, 10, "fp4"));
  REQUIRE(report);
  REQUIRE(report->groups.size() == 2);
  CHECK(report->groups[0].model == "llama-3.1-70b");
  CHECK(report->groups[0].quant == "fp4+fp8");
  CHECK(report->groups[0].errors.n == 2);
  CHECK(report->groups[1].backend == "trtllm");
  const Json json = to_json(*report);
  CHECK(json["overall"]["tpot"].contains("mape"));
  CHECK(json["groups"][0]["ttft"].contains("bias"));
  CHECK(json["skipped"].empty());
}

TEST_CASE("Errors are what they say") {
  const auto report = run(kHeader + row("llama-3.1-8b", "h100_sxm", "vllm", 4, 100, 10) +
                          row("llama-3.1-8b", "h100_sxm", "vllm", 8, 150, 12));
  REQUIRE(report);
  double mape = 0, bias = 0;
  for (const ValidatedRow& r : report->predictions) {
    mape += std::abs(r.predicted_tpot_ms / r.measured_tpot_ms - 1) / 2;
    bias += (r.predicted_tpot_ms / r.measured_tpot_ms - 1) / 2;
  }
  CHECK(report->overall.tpot.mape == Approx(mape));
  CHECK(report->overall.tpot.bias == Approx(bias));
}

TEST_CASE("A calibration finds a world of its own making, and marks its rows") {
  // Rows made by the model itself, with one world's steps 40% slower than the shipped ones.
  std::string text = kHeader;
  const char* models[] = {"llama-3.1-8b", "qwen3-32b", "llama-3.1-70b"};
  for (const char* model : models) {
    for (const char* gpu : {"h100_sxm", "h200_sxm"}) {
      for (const int concurrency : {4, 16, 64}) {
        std::string probe = row(model, gpu, "vllm", concurrency, 500, 50);
        const auto predicted = run(kHeader + probe);
        REQUIRE(predicted);
        if (predicted->predictions.empty()) continue;
        text +=
            row(model, gpu, "vllm", concurrency, 1.2 * predicted->predictions[0].predicted_ttft_ms,
                1.4 * predicted->predictions[0].predicted_tpot_ms);
      }
    }
  }
  const auto before = run(text);
  REQUIRE(before);
  CHECK(before->overall.tpot.bias == Approx(1 / 1.4 - 1).epsilon(0.01));
  const auto after = run(text, true);
  REQUIRE(after);
  CHECK(after->overall.tpot.mape < 0.6 * before->overall.tpot.mape);
  CHECK(after->fitted.tpot.mape <= after->overall.tpot.mape);
  CHECK(after->not_in_sample.n == after->overall.n);
  // The written calibration knows its rows.
  const std::filesystem::path data =
      std::filesystem::temp_directory_path() / ("validate_test_data_" + std::to_string(::getpid()));
  std::filesystem::create_directories(data / "calibration");
  REQUIRE(write_file_atomic((data / "calibration/serving.yaml").string(), after->calibration));
  const std::vector<std::string> directories = {data.string(), predict_data().front()};
  const Calibration own = must(Calibration::load(directories));
  const File file(text);
  const auto again = validate(file.path(), predict_catalog(), own, directories, false);
  std::filesystem::remove_all(data);
  REQUIRE(again);
  CHECK(again->not_in_sample.n == 0);
  CHECK(again->groups[0].in_sample_rows == again->groups[0].errors.n);
  CHECK(again->overall.tpot.mape == Approx(after->fitted.tpot.mape).epsilon(1e-3));
}

TEST_CASE("One group cannot be left out of a fit") {
  const auto report = run(kHeader + row("llama-3.1-8b", "h100_sxm", "vllm", 4, 100, 10), true);
  REQUIRE_FALSE(report);
  CHECK(has(report.error().to_string(), "at least two"));
}

TEST_CASE("Harness facts apply where they say") {
  const auto harnesses = must(validation::Harnesses::load(predict_data()));
  validation::MeasuredRow measured;
  measured.length_ratio = 0.9;
  measured.isl_tokens = measured.osl_tokens = 1024;
  measured.tp = 4;
  const Layout layout = layout_of("llama-3.1-70b", "h200_sxm", "tensorrt_llm", "fp8", 4, "fp8");
  const validation::Harness& burst = harnesses.of(measured);
  CHECK(burst.name == "inferencex");
  auto run_config = validation::run_of(measured, layout, burst);
  CHECK(run_config.batch_wait_steps == 20);
  CHECK(run_config.osl_spread_tokens == Approx(0.2 * 1024));
  CHECK(run_config.isl_tokens == Approx(921.6));
  measured.tp = 8;
  CHECK(validation::run_of(measured, layout, burst).batch_wait_steps == 0);
  measured.length_ratio = 1;
  CHECK(harnesses.of(measured).name == "fixed_lengths");
  CHECK(harnesses.kv_format(layout) == "fp8");
}
