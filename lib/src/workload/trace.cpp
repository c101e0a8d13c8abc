#include "read.h"

#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include <tensorpath/base/file.h>

namespace tensorpath::workload_file {
namespace {

// Some millions of requests; more says nothing new about a distribution.
constexpr std::size_t kLargestTrace = 64U << 20;
// A wrong file is wrong in every line.
constexpr std::size_t kMostMistakes = 5;
// Longer than any context there is.
constexpr double kLongest = 1e8;

std::string_view trimmed(std::string_view line) {
  line = line.substr(0, line.find('#'));
  const std::size_t first = line.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return line.substr(first, line.find_last_not_of(" \t\r") - first + 1);
}

}  // namespace

std::vector<double> read_trace(const std::string& path, TraceOf what, Diagnostics& problems) {
  std::vector<double> values;
  // A device or a pipe could feed for ever.
  if (!file_exists(path)) {
    problems.add({path, 0, 0}, "no such trace file", "the path is relative to the workload file");
    return values;
  }
  const auto text = read_file(path, kLargestTrace);
  if (!text) {
    for (const Diagnostic& problem : text.error().diagnostics) {
      problems.add(problem.where, problem.message, problem.hint);
    }
    return values;
  }
  const bool lengths = what == TraceOf::kLengths;
  const char* expected = lengths ? "a length of one token or more" : "seconds, 0 or more";
  std::size_t mistakes = 0;
  int line_number = 0;
  for (std::string_view rest = *text; !rest.empty() && mistakes < kMostMistakes;) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = trimmed(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    ++line_number;
    if (line.empty()) continue;
    double value = 0;
    const auto [stop, error] = std::from_chars(line.data(), line.data() + line.size(), value);
    const bool number = error == std::errc{} && stop == line.data() + line.size();
    if (!number || !std::isfinite(value) || value < (lengths ? 1 : 0) || value > kLongest) {
      ++mistakes;
      problems.add({path, line_number, 1},
                   fmt::format("{} is no {}", quote_input(line), lengths ? "length" : "time"),
                   fmt::format("each line is one number: {}", expected));
    } else if (!lengths && !values.empty() && value < values.back()) {
      ++mistakes;
      problems.add({path, line_number, 1},
                   fmt::format("arrival at {} s comes before the one above it", value),
                   "sort the file");
    } else {
      values.push_back(value);
    }
  }
  if (mistakes == 0 && values.size() < (lengths ? 1U : 2U)) {
    problems.add({path, 0, 0}, lengths ? "the trace is empty" : "a rate needs two arrivals or more",
                 fmt::format("each line is one number: {}", expected));
  }
  return values;
}

}  // namespace tensorpath::workload_file
