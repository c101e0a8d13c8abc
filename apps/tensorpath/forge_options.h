// What the commands of `tensorpath forge` share.
#pragma once

#include "command.h"

#include <memory>
#include <optional>

#include <tensorpath/evidence.h>
#include <tensorpath/forge.h>
#include <tensorpath/harness.h>

namespace tensorpath::cli {

struct ForgeOptions {
  std::string runs;

  std::string spec;
  std::string language;
  forge::CreateRequest request;
  std::string run_id;
  std::string candidate;
  std::string sandbox = "strict";
  std::vector<std::string> ops;
  int cases = 0;
  int threads = 0;
  int attempt = 0;
  bool no_sanitizers = false;
  StopRule stop;
  std::string out;
  std::string sign;
  std::vector<std::string> registry;
};

// kernels/NAME of each data directory, first match first.
[[nodiscard]] std::vector<std::string> kernel_directories(const Session& session,
                                                          std::string_view name);
[[nodiscard]] SandboxMode sandbox_mode(const ForgeOptions& options);
// Those of the data directories, and those of --ops in front of them.
[[nodiscard]] Expected<Operators> operators_of(const Session& session, const ForgeOptions& options);
[[nodiscard]] Expected<std::string> require_worker();
// --ops, --sandbox.
void add_sandbox_options(CLI::App& command, ForgeOptions& options);
// Those and --runs, --format.
void add_shared_options(CLI::App& command, Session& session, ForgeOptions& options);
// --run-id.
void add_run_option(CLI::App& command, ForgeOptions& options);

// How to time, by --threads, --rounds, --time-limit and the machine's ceilings.
[[nodiscard]] Expected<BenchOptions> bench_options(const Session& session,
                                                   const ForgeOptions& options);
// --threads, --rounds, --time-limit.
void add_time_options(CLI::App& command, ForgeOptions& options);
// Those and --attempt.
void add_bench_options(CLI::App& command, ForgeOptions& options);
// The times by case and arm, what follows from them, and where the attempt stands.
void print_timing(const Session& session, const BenchReport& report, const std::string& state);
// --sign.
void add_sign_option(CLI::App& command, ForgeOptions& options);

void add_forge_bench(CLI::App& group, Session& session,
                     const std::shared_ptr<ForgeOptions>& options);
void add_forge_promote(CLI::App& group, Session& session,
                       const std::shared_ptr<ForgeOptions>& options);
void add_forge_export(CLI::App& group, Session& session,
                      const std::shared_ptr<ForgeOptions>& options);
void add_forge_profile(CLI::App& group, Session& session,
                       const std::shared_ptr<ForgeOptions>& options);
void add_forge_summary(CLI::App& group, Session& session,
                       const std::shared_ptr<ForgeOptions>& options);
void add_forge_packet(CLI::App& group, Session& session,
                      const std::shared_ptr<ForgeOptions>& options);

}  // namespace tensorpath::cli
