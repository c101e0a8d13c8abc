// Errors as values, with a text meant for a person.
// An Error carries an exit class and one Diagnostic or more, each with the place it came from, what
// is wrong, what was expected and how to mend it. Library functions return Expected<T>; they throw
// only for programming mistakes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

namespace tensorpath {

// Process exit codes (tensorpath(1), EXIT STATUS).
enum class ExitCode : int {
  kDone = 0,
  kAnswerIsNo = 1,     // verification failed, no plan fits, replay differs
  kUsage = 2,          // wrong usage or input
  kEnvironment = 3,    // the machine lacks something
  kLimit = 4,          // a limit or a time-out
  kInterrupted = 130,  // SIGINT
};

// A place in an input. line and column count from 1; 0 is unknown.
struct SourceLocation {
  std::string file;
  int line = 0;
  int column = 0;

  [[nodiscard]] std::string to_string() const;  // "file:line:column", without the unknown parts
};

struct Diagnostic {
  SourceLocation where;
  std::string message;  // what is wrong and what was expected; no trailing full stop
  std::string hint;     // how to mend it; may be empty

  [[nodiscard]] std::string to_string() const;
};

struct Error {
  ExitCode exit_code = ExitCode::kUsage;
  std::vector<Diagnostic> diagnostics;

  // All diagnostics, one per line (a hint on an indented line of its own).
  [[nodiscard]] std::string to_string() const;
};

template <typename T>
using Expected = tl::expected<T, Error>;
using Status = Expected<void>;

[[nodiscard]] tl::unexpected<Error> fail(ExitCode code, std::string message, std::string hint = {});
[[nodiscard]] tl::unexpected<Error> fail_at(SourceLocation where, std::string message,
                                            std::string hint = {});

// A piece of input for a message: in single quotes, control characters escaped, cut when long.
[[nodiscard]] std::string quote_input(std::string_view text);

// The candidate nearest to `name` by edit distance ignoring case and punctuation; empty when none
// is near enough to be worth suggesting. Used for every unknown name and key.
[[nodiscard]] std::string nearest_name(std::string_view name,
                                       const std::vector<std::string>& candidates);

// "did you mean 'x'?" or, when nothing is near, "one of: a, b, c" (at most `most` names); empty
// when there are no candidates.
[[nodiscard]] std::string suggestion(std::string_view name,
                                     const std::vector<std::string>& candidates,
                                     std::size_t most = 12);

}  // namespace tensorpath
