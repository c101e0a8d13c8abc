#include "operator_proof.h"

#include "reference_object.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tensorpath/base/descriptor.h>
#include <tensorpath/base/json.h>
#include <tensorpath/ops/prove.h>

namespace tensorpath {
namespace {

using std::chrono::steady_clock;

constexpr std::size_t kShown = 12;  // problems; one mistake brings many

// In the child.
std::vector<std::string> problems_of(OperatorSpec spec, const std::string& object) {
  const auto entry = open_reference(object, spec.name);
  const Status fits = entry ? attach_reference(spec, *entry, "") : tl::unexpected(entry.error());
  if (!fits) {
    std::vector<std::string> problems;
    for (const Diagnostic& one : fits.error().diagnostics) problems.push_back(one.to_string());
    return problems;
  }
  return prove(spec).problems;
}

[[noreturn]] void work(const OperatorSpec& spec, const std::string& object, int out, pid_t parent) {
  (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
  // A crash ends it, whatever this process does about crashes.
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) {
    (void)::signal(signal, SIG_DFL);
  }
  const rlimit no_core{0, 0};
  (void)::setrlimit(RLIMIT_CORE, &no_core);
  std::string text;
  try {
    // What is said about a file may hold any bytes.
    text = Json(problems_of(spec, object)).dump(-1, ' ', false, Json::error_handler_t::replace);
  } catch (...) {
    text = Json::array({"the reference throws what is no std::exception"}).dump();
  }
  ::_exit(write_all(out, text) ? 0 : 1);
}

struct Answer {
  std::string text;
  bool late = false;
  int status = 0;
};

// What the child wrote until it closed its end or time was up; it is over afterwards.
Answer wait_for(pid_t child, const FileDescriptor& from, double seconds) {
  Answer answer;
  const auto end = steady_clock::now() + std::chrono::duration_cast<steady_clock::duration>(
                                             std::chrono::duration<double>(seconds));
  char chunk[4096];
  while (true) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(end - steady_clock::now()).count();
    pollfd waiting{from.get(), POLLIN, 0};
    const int ready = ::poll(&waiting, 1, static_cast<int>(std::max<long>(left, 0)));
    if (ready < 0 && errno == EINTR) continue;
    answer.late = ready == 0;
    if (ready <= 0) break;
    const ssize_t count = ::read(from.get(), chunk, sizeof chunk);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    answer.text.append(chunk, static_cast<std::size_t>(count));
  }
  if (answer.late) ::kill(child, SIGKILL);
  while (::waitpid(child, &answer.status, 0) < 0 && errno == EINTR) {
  }
  return answer;
}

Error refusal(const OperatorSpec& spec, const std::vector<std::string>& problems) {
  Error error;
  for (const std::string& problem : problems) {
    if (error.diagnostics.size() == kShown) break;
    error.diagnostics.push_back({{spec.file, 0, 0}, problem, ""});
  }
  std::string more;
  if (problems.size() > kShown) more = fmt::format(" ({} in all)", problems.size());
  error.diagnostics.push_back(
      {{spec.file, 0, 0},
       fmt::format("the operator does not hold in the mutation check{}", more),
       "no kernel can be judged by it; 'tensorpath help operator' says what must hold"});
  return error;
}

}  // namespace

Status prove_apart(const OperatorSpec& spec, const std::string& object, double seconds) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    return system_failure(ExitCode::kEnvironment, "cannot check", spec.file, errno);
  }
  const FileDescriptor from(ends[0]);
  FileDescriptor to(ends[1]);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) return system_failure(ExitCode::kEnvironment, "cannot check", spec.file, errno);
  if (child == 0) work(spec, object, to.get(), parent);
  (void)to.close_now();
  const Answer answer = wait_for(child, from, seconds);
  if (answer.late) {
    Error error = refusal(spec, {fmt::format("its reference takes longer than {:.0f} s", seconds)});
    error.exit_code = ExitCode::kLimit;
    return tl::unexpected(error);
  }
  if (WIFSIGNALED(answer.status)) {
    const int signal = WTERMSIG(answer.status);
    return tl::unexpected(refusal(
        spec, {fmt::format("its reference crashes: signal {} ({})", signal, ::strsignal(signal))}));
  }
  const auto problems = parse_json(answer.text, spec.file);
  if (!problems || !problems->is_array()) {
    return tl::unexpected(refusal(spec, {"its reference ends the process it runs in"}));
  }
  if (problems->empty()) return {};
  return tl::unexpected(refusal(spec, problems->get<std::vector<std::string>>()));
}

}  // namespace tensorpath
