#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <tensorpath/base/descriptor.h>
#include <tensorpath/base/file.h>
#include <tensorpath/forge/attempt_profile.h>
#include <tensorpath/forge/ledger.h>
#include <tensorpath/harness/candidate.h>
#include <tensorpath/harness/task.h>

namespace tensorpath::forge {
namespace {

Json list_of(const std::vector<ProfileFinding>& findings) {
  Json out = Json::array();
  for (const ProfileFinding& one : findings) {
    out.push_back({{"finding", one.name}, {"value", one.value}, {"words", one.words}});
  }
  return out;
}

// Why this machine's counters cannot be read; empty where they can.
std::string counters_obstacle() {
  perf_event_attr attributes{};
  attributes.size = sizeof attributes;
  attributes.type = PERF_TYPE_HARDWARE;
  attributes.config = PERF_COUNT_HW_CPU_CYCLES;
  attributes.disabled = 1;
  attributes.exclude_kernel = 1;
  attributes.exclude_hv = 1;
  const FileDescriptor counter(
      static_cast<int>(::syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0)));
  if (counter.valid()) return {};
  if (errno == ENOENT || errno == EOPNOTSUPP) {
    return "the machine shows no hardware counters, as many virtual ones do not";
  }
  if (errno == EACCES || errno == EPERM) {
    return "the system does not allow it (kernel.perf_event_paranoid, or a filter of system calls)";
  }
  return fmt::format("perf_event_open: {}", std::strerror(errno));
}

class Profiler {
 public:
  Profiler(const RunDirectory& run, const KernelTask& task, AttemptProfile& out)
      : directory_(run.attempt_path(out.attempt)), task_(task), out_(out) {}

  Status run() {
    const std::string path = path_join(directory_, "report.json");
    if (!file_exists(path)) {
      return fail(ExitCode::kUsage,
                  "this attempt has no report: it was stopped before the verdict");
    }
    auto report = read_document(path);
    if (!report) return tl::unexpected(report.error());
    report_ = std::move(*report);
    if (Status read = read_newest_bench(); !read) return read;
    if (Status framed = framework(); !framed) return framed;
    runtime();
    emitted();
    return {};
  }

 private:
  static Expected<Json> read_document(const std::string& path) {
    const auto text = read_file(path);
    if (!text) return tl::unexpected(text.error());
    return parse_json(*text, path);
  }

  Status read_newest_bench() {
    for (int i = 1;; ++i) {
      const std::string path =
          path_join(path_join(directory_, fmt::format("bench-{}", i)), "bench.json");
      if (!file_exists(path)) return {};
      auto bench = read_document(path);
      if (!bench) return tl::unexpected(bench.error());
      bench_ = std::move(*bench);
    }
  }

  void lacks(std::string what, std::string why) {
    out_.not_measured.push_back({std::move(what), std::move(why)});
  }

  // What stands between a caller and the kernel.
  Status framework() {
    Refusal refusal;
    const auto candidate = read_candidate(path_join(directory_, "candidate"), task_, refusal);
    if (!candidate) return tl::unexpected(candidate.error());
    const LaunchPlan& plan = candidate->plan;
    const bool host = task_.device == DeviceKind::kHost;
    if (!host) {
      add(out_.framework, "launches_a_call", plan.launches.size(),
          fmt::format("at most {} launches a call, on one stream", plan.launches.size()));
      add(out_.framework, "prepare_launches", plan.prepare.size(),
          plan.prepare.empty()
              ? std::string("nothing is prepared beforehand")
              : fmt::format("{} launches prepare static inputs, before and untimed",
                            plan.prepare.size()));
    } else {
      const std::string* source = candidate->find("kernel.cpp");
      const bool pooled =
          source != nullptr && (source->find("tp_parallel_for") != std::string::npos ||
                                source->find("->run(") != std::string::npos);
      add(out_.framework, "uses_pool", pooled,
          pooled ? "splits its work over the pool" : "runs on one thread: the pool is not called");
    }
    Json workspaces = Json::object();
    std::string words;
    for (const PlanWorkspace& one : plan.workspaces) {
      workspaces[one.name] = {{"bytes", one.bytes.text()}, {"zeroed", one.zeroed}};
      words += fmt::format("{}{} of {} bytes{}", words.empty() ? "" : ", ", one.name,
                           one.bytes.text(), one.zeroed ? ", zeroed before each call" : "");
    }
    add(out_.framework, "workspaces", workspaces, words.empty() ? "no workspace" : words);
    if (bench_.contains("empty_call_us") && bench_.at("empty_call_us").is_number()) {
      const double empty = bench_.at("empty_call_us").get<double>();
      add(out_.framework, "empty_call_us", empty,
          fmt::format("a call of nothing takes {:.3g} us", empty));
    }
    lacks("copies", "the harness fills and empties the buffers outside of the timed span");
    return {};
  }

  void runtime() {
    const bool timed = bench_.is_object() && bench_.contains("decision") &&
                       !bench_.at("decision").is_null() && bench_.contains("cases");
    if (!timed) {
      lacks("times", "the attempt has no benchmark that holds: tensorpath forge bench makes one");
    } else {
      for (const Json& one : bench_.at("cases")) timed_case(one);
    }
    if (task_.device == DeviceKind::kHost) {
      const std::string why = counters_obstacle();
      lacks("cycles, instructions and cache misses",
            why.empty() ? "counters are to be had here, and are not attached to the isolated worker"
                        : why);
    } else {
      lacks("occupancy, memory and instruction throughput of the device",
            "ncu is not called: it needs the device's counters, and the kernel in a process that "
            "is not isolated");
    }
  }

  void timed_case(const Json& one) {
    const std::string name = one.value("case", std::string());
    for (const Json& arm : one.value("arms", Json::array())) {
      if (arm.value("arm", std::string()) != "candidate") continue;
      for (const char* cache : {"cold", "hot"}) {
        if (!arm.contains(cache) || !arm.at(cache).is_object()) continue;
        const double p50 = arm.at(cache).value("p50_us", 0.0);
        add(out_.runtime, fmt::format("{}_p50_us", cache), {{"case", name}, {"us", p50}},
            fmt::format("{}: {:.4g} us, {}", name, p50, cache));
      }
    }
    if (!one.contains("roofline") || !one.at("roofline").is_object()) {
      lacks("roofline of " + name,
            "the machine was not calibrated: tensorpath devices --calibrate");
      return;
    }
    const Json& roofline = one.at("roofline");
    const double percent = roofline.value("percent", 0.0);
    add(out_.runtime, "roofline", {{"case", name}, {"roofline", roofline}},
        fmt::format("{}: {:.1f}% of the roofline of the measured ceilings", name, percent));
  }

  void emitted() {
    for (const Json& kernel : report_.value("resources", Json::array())) {
      const auto spills = kernel.value("spill_store_bytes", std::int64_t{0}) +
                          kernel.value("spill_load_bytes", std::int64_t{0});
      add(out_.emitted_code, "resources", kernel,
          fmt::format(
              "{}: {} registers, {}", kernel.value("kernel", std::string()),
              kernel.value("registers", std::int64_t{0}),
              spills == 0 ? std::string("no spills") : fmt::format("spills of {} bytes", spills)));
    }
    if (task_.device == DeviceKind::kHost) {
      lacks("registers and spills", "the compiler of the host does not tell of them");
    }
    if (!report_.contains("emitted_code")) {
      return lacks("instruction families", "the report is from before they were counted");
    }
    const Json& code = report_.at("emitted_code");
    if (code.at("tool").is_null()) {
      const Json& why = code.at("not_read");
      lacks("instruction families", why.is_string() && !why.get<std::string>().empty()
                                        ? why.get<std::string>()
                                        : "the attempt did not compile");
    } else {
      std::string words;
      for (const auto& [name, count] : code.at("families").items()) {
        words += fmt::format("{}{} {}", words.empty() ? "" : ", ", name, count.get<std::int64_t>());
      }
      add(out_.emitted_code, "families", code.at("families"), words.empty() ? "none known" : words);
    }
    for (const Json& finding : report_.value("findings", Json::array())) {
      add(out_.emitted_code, finding.at("finding").get<std::string>(), code.at("absent"),
          finding.at("detail").get<std::string>());
    }
  }

  static void add(std::vector<ProfileFinding>& to, std::string name, Json value,
                  std::string words) {
    to.push_back({std::move(name), std::move(value), std::move(words)});
  }

  std::string directory_;
  const KernelTask& task_;
  AttemptProfile& out_;
  Json report_;
  Json bench_;  // null: none
};

}  // namespace

Json AttemptProfile::to_json() const {
  Json gaps = Json::array();
  for (const NotMeasured& one : not_measured)
    gaps.push_back({{"what", one.what}, {"why", one.why}});
  return {{"attempt", attempt},
          {"state", state},
          {"framework", list_of(framework)},
          {"runtime", list_of(runtime)},
          {"emitted_code", list_of(emitted_code)},
          {"not_measured", gaps}};
}

Expected<AttemptProfile> profile_attempt(const RunDirectory& run, const Operators& operators,
                                         int attempt) {
  const auto ledger = run.read_ledger();
  if (!ledger) return tl::unexpected(ledger.error());
  AttemptProfile out;
  out.attempt = attempt > 0 ? attempt : ledger->attempts();
  if (out.attempt < 1) {
    return fail(ExitCode::kUsage, "this run has no attempt yet",
                "tensorpath forge verify makes one");
  }
  const auto state = ledger->state_of(out.attempt);
  if (!state) return tl::unexpected(state.error());
  out.state = state_sentence(*state);
  const auto text = read_file(run.task_path());
  if (!text) return tl::unexpected(text.error());
  const auto task = read_task(*text, run.task_path(), operators);
  if (!task) return tl::unexpected(task.error());
  if (const Status read = Profiler(run, *task, out).run(); !read) {
    return tl::unexpected(read.error());
  }
  return out;
}

}  // namespace tensorpath::forge
