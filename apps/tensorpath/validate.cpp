// tensorpath validate: predicted against measured, by group; --calibrate fits and leaves groups
// out.
#include "command.h"

#include <algorithm>

#include <fmt/format.h>

#include <tensorpath/base/file.h>
#include <tensorpath/validate.h>

namespace tensorpath::cli {
namespace {

struct ValidateOptions {
  std::string measured;
  std::string fit_ops;
  std::string out;
  bool calibrate = false;
};

// A calibration file goes to --out, or to standard output when there is none.
ExitCode write_calibration(const std::string& out, const std::string& text) {
  if (out.empty() || out == "-") {
    print(text);
    return ExitCode::kDone;
  }
  if (const auto status = write_file_atomic(out, text); !status) return report(status.error());
  return ExitCode::kDone;
}

ExitCode run_fit_ops(const Session& session, const ValidateOptions& options) {
  const auto catalog = session.load_catalog();
  if (!catalog) return report(catalog.error());
  const auto text = fit_operators(options.fit_ops, *catalog);
  if (!text) return report(text.error());
  return write_calibration(options.out, *text);
}

std::string in_percent(const char* what, const RunErrors& errors) {
  return fmt::format(
      "{}: {} rows; TPOT MAPE {:.1f}%, median {:.1f}%, bias {:+.1f}%; TTFT MAPE {:.1f}%, median "
      "{:.1f}%, bias {:+.1f}%\n",
      what, errors.n, 100 * errors.tpot.mape, 100 * errors.tpot.median, 100 * errors.tpot.bias,
      100 * errors.ttft.mape, 100 * errors.ttft.median, 100 * errors.ttft.bias);
}

// Names as they stand in the file, but nothing in them that a terminal would act on.
std::string printable(const std::string& name) {
  const bool control = std::any_of(name.begin(), name.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
  });
  return control ? quote_input(name) : name;
}

// What the table cannot hold, for a person, on standard error.
void explain(const Session& session, const ValidationReport& validated) {
  if (session.quiet) return;
  std::string notes;
  if (validated.calibrated) {
    notes += in_percent("groups left out of the fit", validated.overall);
    notes += in_percent("GPUs left out", validated.left_out_gpus);
    notes += in_percent("engines left out", validated.left_out_engines);
    notes += in_percent("the fit on its own rows", validated.fitted);
  } else {
    const int seen = validated.overall.n - validated.not_in_sample.n;
    notes += fmt::format("{} of {} rows were in the sample of the shipped calibration\n", seen,
                         validated.overall.n);
    if (validated.not_in_sample.n > 0 && seen > 0) {
      notes += in_percent("rows it did not see", validated.not_in_sample);
    }
  }
  for (const SkippedRow& row : validated.skipped) {
    notes +=
        fmt::format("line {} ({}, {}, {}) is not predicted: {}\n", row.line, printable(row.model),
                    printable(row.gpu), printable(row.backend), row.reason);
  }
  std::fputs(notes.c_str(), stderr);
}

ExitCode run_validate(const Session& session, const ValidateOptions& options) {
  if (!options.fit_ops.empty()) return run_fit_ops(session, options);
  if (options.measured.empty()) {
    return report(fail(ExitCode::kUsage, "validate needs --measured FILE.csv",
                       "tensorpath-validate(1) lists its columns")
                      .value());
  }
  if (!options.out.empty() && !options.calibrate) {
    return report(fail(ExitCode::kUsage, "--out is where --calibrate writes its fit",
                       "add --calibrate, or redirect standard output")
                      .value());
  }
  auto catalog = session.load_catalog();
  if (!catalog) return report(catalog.error());
  const auto calibration = Calibration::load(session.search_path());
  if (!calibration) return report(calibration.error());
  const auto validated =
      validate(options.measured, *catalog, *calibration, session.search_path(), options.calibrate);
  if (!validated) return report(validated.error());
  const bool document =
      session.format == OutputFormat::kJson || session.format == OutputFormat::kYaml;
  if (document) {
    print_document(session, to_json(*validated));
  } else {
    print_table(session, to_table(*validated));
    explain(session, *validated);
  }
  if (options.calibrate && !options.out.empty()) {
    return write_calibration(options.out, validated->calibration);
  }
  return ExitCode::kDone;
}

}  // namespace

void add_validate(CLI::App& app, Session& session) {
  CLI::App* command =
      app.add_subcommand("validate", "Predicted against measured runs, by model, GPU and engine");
  auto options = std::make_shared<ValidateOptions>();
  command->add_option("--measured", options->measured, "Measured runs (- for stdin)")
      ->type_name("FILE.csv");
  command->add_flag("--calibrate", options->calibrate,
                    "Fit the serving parameters to the file; errors are of groups left out");
  command->add_option("--out", options->out, "Where --calibrate or --fit-ops writes its fit")
      ->type_name("FILE.yaml");
  // Plumbing: makes data/calibration/ops.yaml from operator tables.
  command
      ->add_option("--fit-ops", options->fit_ops, "Fit operator efficiencies to the tables of DIR")
      ->type_name("DIR");
  add_format_option(*command, session);
  command->callback([&session, options] {
    session.run = [&session, options] { return run_validate(session, *options); };
  });
}

}  // namespace tensorpath::cli
