// The tensorpath command: global options, the choice of a subcommand, and how the process ends.
#include "command.h"
#include "dispatch.h"
#include "usage.h"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>

#include <fmt/format.h>
#include <unistd.h>

#include <tensorpath/version.h>

namespace tensorpath::cli {
namespace {

void change_directory(const std::string& directory) {
  if (chdir(directory.c_str()) != 0) {
    throw CLI::ValidationError(
        "-C", fmt::format("cannot change to directory '{}': {}", directory, std::strerror(errno)));
  }
}

void add_global_options(CLI::App& app, Session& session) {
  app.set_help_flag("-h,--help", "Print this help and exit");
  app.set_version_flag("--version", fmt::format("tensorpath {}", kVersion),
                       "Print the version and exit");
  // Acts at once, so that the paths after it, and further -C, start from there.
  app.add_option_function<std::string>("-C", change_directory, "Run as if started in DIR")
      ->trigger_on_parse()
      ->type_name("DIR");
  app.add_option("--data", session.data_directories,
                 "Look for GPUs, models, engines and prices in DIR first; repeatable")
      ->allow_extra_args(false)
      ->type_name("DIR");
  app.add_flag("-q,--quiet", session.quiet, "Print no notes or progress on standard error");
  app.add_flag("-v,--verbose", session.verbosity, "Print more on standard error; repeatable");
}

void add_subcommands(CLI::App& app, Session& session) {
  add_recommend(app, session);
  add_compare(app, session);
  add_estimate(app, session);
  add_validate(app, session);
  add_deploy(app, session);
  add_profile(app, session);
  add_forge(app, session);
  add_replay(app, session);
  add_list_kernels(app, session);
  add_devices(app, session);
  add_doctor(app, session);
  add_help(app, session);
}

ExitCode without_subcommand(const CLI::App& app, const Session& session) {
  const std::vector<std::string> words = app.remaining(true);
  if (words.empty()) {
    std::fputs(app.help().c_str(), stderr);
    return ExitCode::kUsage;
  }
  if (words.front().front() == '-' && words.front() != "-") {
    return report(unexpected_argument(app, words.front()));
  }
  run_external(session, words);
  return report(unknown_subcommand(app, words.front()));
}

ExitCode run(int argc, char** argv) {
  CLI::App app("Plans for serving large language models, with the evidence behind each number",
               "tensorpath");
  Session session;
  add_global_options(app, session);
  app.fallthrough();  // subcommands inherit it: global options may follow them
  add_subcommands(app, session);
  set_help_format(app);
  app.require_subcommand(0, 1);
  app.prefix_command();  // words after an unknown subcommand are for tensorpath-foo
  app.footer("'tensorpath help SUBCOMMAND' opens its manual page.");
  if (argc > 1 && std::string_view(argv[1]) == "__complete") {
    return complete(app, session, {argv + 2, argv + argc});
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    print(app.help());
    return ExitCode::kDone;
  } catch (const CLI::CallForVersion& version) {
    print(fmt::format("{}\n", version.what()));
    return ExitCode::kDone;
  } catch (const CLI::ParseError& mistake) {
    return report(usage_error(app, mistake));
  }
  if (app.get_subcommands().empty()) return without_subcommand(app, session);
  const std::vector<std::string> left_over = app.remaining(true);
  if (!left_over.empty()) return report(unexpected_argument(app, left_over.front()));
  if (!session.run) {
    std::fputs(app.help().c_str(), stderr);
    return ExitCode::kUsage;
  }
  return session.run();
}

// What was computed is worth nothing when it could not be written.
ExitCode finish_output(ExitCode code) {
  errno = 0;
  const bool failed_now = std::fflush(stdout) != 0;
  const int reason = errno;
  if (!failed_now && std::ferror(stdout) == 0) return code;
  if (reason == EPIPE) return code;  // the reader has seen enough
  std::fprintf(stderr, "tensorpath: cannot write standard output%s%s\n", reason != 0 ? ": " : "",
               reason != 0 ? std::strerror(reason) : "");
  return ExitCode::kEnvironment;
}

extern "C" void exit_interrupted(int /*signal*/) {
  _exit(static_cast<int>(ExitCode::kInterrupted));
}

void set_signals() {
  // A write past `ulimit -f` is then an error that is reported, not a death.
  std::signal(SIGXFSZ, SIG_IGN);
  struct sigaction old {};
  sigaction(SIGINT, nullptr, &old);
  if (old.sa_handler != SIG_IGN) {  // nohup and background jobs stay as they were started
    struct sigaction action {};
    action.sa_handler = exit_interrupted;
    sigaction(SIGINT, &action, nullptr);
  }
}

}  // namespace
}  // namespace tensorpath::cli

int main(int argc, char** argv) {
  using namespace tensorpath;
  cli::set_signals();
  ExitCode code = ExitCode::kEnvironment;
  try {
    code = cli::run(argc, argv);
  } catch (const std::bad_alloc&) {
    std::fputs("tensorpath: out of memory\n", stderr);
    code = ExitCode::kLimit;
  } catch (const std::exception& mistake) {
    std::fprintf(stderr,
                 "tensorpath: internal error: %s\n"
                 "  hint: this is a defect of tensorpath; please report it with the command line\n",
                 mistake.what());
  }
  return static_cast<int>(cli::finish_output(code));
}
