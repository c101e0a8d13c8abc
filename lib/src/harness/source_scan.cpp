#include "source_scan.h"

#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/format.h>

namespace tensorpath {
namespace {

// Pragmas that only steer the optimiser.
constexpr std::array<std::string_view, 9> kPragmas = {
    "once",       "GCC optimize", "GCC target", "GCC push_options", "GCC pop_options",
    "GCC unroll", "GCC ivdep",    "unroll",     "nv_diag_suppress"};
// Assembler directives that read files or run programs.
constexpr std::array<std::string_view, 2> kAssembler = {".incbin", ".include"};

// The source with line continuations spliced and comments gone; string literals are set apart.
struct Stripped {
  std::string code;      // literals of text are empty there, but for those of includes
  std::string literals;  // their contents, a line each, escapes undone
};

std::string spliced(std::string_view source) {
  std::string out;
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\\') {
      out += source[i];
      continue;
    }
    // GCC lets blanks stand between the backslash and the end of the line.
    std::size_t end = i + 1;
    while (end < source.size() &&
           (source[end] == ' ' || source[end] == '\t' || source[end] == '\r'))
      ++end;
    if (end < source.size() && source[end] == '\n') {
      i = end;
    } else {
      out += source[i];
    }
  }
  return out;
}

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// One escape sequence after its backslash; moves `at` behind it.
char unescaped(const std::string& text, std::size_t& at) {
  const char kind = text[at++];
  if (kind == 'x') {
    int value = 0;
    while (at < text.size() && digit_of(text[at]) >= 0) value = value * 16 + digit_of(text[at++]);
    return static_cast<char>(value);
  }
  if (kind >= '0' && kind <= '7') {
    int value = kind - '0';
    for (int i = 0; i < 2 && at < text.size() && text[at] >= '0' && text[at] <= '7'; ++i) {
      value = value * 8 + (text[at++] - '0');
    }
    return static_cast<char>(value);
  }
  return kind;
}

class Stripper {
 public:
  explicit Stripper(std::string_view source) : text_(spliced(source)) {}

  Stripped strip() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (text_.compare(at_, 2, "//") == 0) {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (text_.compare(at_, 2, "/*") == 0) {
        const std::size_t end = text_.find("*/", at_ + 2);
        at_ = end == std::string::npos ? text_.size() : end + 2;
        out_.code += ' ';
      } else if (c == '"' && !in_include()) {
        literal();
      } else if (c == '\'' && !after_digit()) {
        character();
      } else {
        out_.code += c;
        ++at_;
      }
    }
    return std::move(out_);
  }

 private:
  // A quote inside a number is a digit separator.
  [[nodiscard]] bool after_digit() const {
    return at_ > 0 && std::isalnum(static_cast<unsigned char>(text_[at_ - 1])) != 0;
  }
  [[nodiscard]] bool in_include() const {
    const std::size_t line = out_.code.rfind('\n') + 1;  // npos + 1 is 0
    const std::size_t hash = out_.code.find_first_not_of(" \t", line);
    return hash != std::string::npos &&
           (out_.code[hash] == '#' || out_.code.compare(hash, 2, "%:") == 0) &&
           out_.code.find("include", hash) != std::string::npos;
  }
  void literal() {
    const bool raw = at_ > 0 && text_[at_ - 1] == 'R';
    out_.code += "\"\"";
    ++at_;
    if (raw) {
      const std::size_t open = std::min(text_.find('(', at_), text_.size());
      const std::string close = ")" + text_.substr(at_, open - at_) + "\"";
      const std::size_t end = text_.find(close, open);
      out_.literals += text_.substr(open, end == std::string::npos ? end : end - open);
      at_ = end == std::string::npos ? text_.size() : end + close.size();
    } else {
      while (at_ < text_.size() && text_[at_] != '"' && text_[at_] != '\n') {
        const char c = text_[at_++];
        out_.literals += c == '\\' && at_ < text_.size() ? unescaped(text_, at_) : c;
      }
      if (at_ < text_.size() && text_[at_] == '"') ++at_;
    }
    // Neighbouring literals are one: ".inc" "bin".
    std::size_t next = at_;
    while (next < text_.size() && std::isspace(static_cast<unsigned char>(text_[next])) != 0)
      ++next;
    if (next >= text_.size() || text_[next] != '"') out_.literals += '\n';
  }
  void character() {
    ++at_;
    while (at_ < text_.size() && text_[at_] != '\'' && text_[at_] != '\n') {
      at_ += text_[at_] == '\\' ? 2 : 1;
    }
    at_ = std::min(at_ + 1, text_.size());
    out_.code += "0";
  }

  std::string text_;
  std::size_t at_ = 0;
  Stripped out_;
};

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\f\v");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\f\v") - begin + 1);
}

bool is_allowed(std::string_view header, const std::vector<std::string_view>& allowed) {
  return std::any_of(allowed.begin(), allowed.end(), [&](std::string_view entry) {
    return entry.back() == '/' ? header.substr(0, entry.size()) == entry &&
                                     header.find("..") == std::string_view::npos
                               : header == entry;
  });
}

Refusal scan_directive(std::string_view directive, const std::string& file,
                       const std::vector<std::string_view>& allowed) {
  const std::size_t end = directive.find_first_not_of("abcdefghijklmnopqrstuvwxyz_");
  const std::string_view word = directive.substr(0, end);
  const std::string_view rest = end == std::string_view::npos ? "" : trimmed(directive.substr(end));
  if (word == "pragma") {
    const bool known = std::any_of(kPragmas.begin(), kPragmas.end(), [&](std::string_view pragma) {
      return rest.substr(0, pragma.size()) == pragma;
    });
    if (known) return {};
    return {Failure::kForbiddenDirective,
            fmt::format("{}: #pragma {} is not allowed", file, quote_input(rest))};
  }
  if (word == "embed" || word == "import" || word == "include_next" || word == "line") {
    return {Failure::kForbiddenDirective, fmt::format("{}: #{} is not allowed", file, word)};
  }
  if (word != "include") return {};
  const char open = rest.empty() ? ' ' : rest.front();
  const std::size_t close = rest.find(open == '<' ? '>' : '"', 1);
  if ((open != '<' && open != '"') || close == std::string_view::npos) {
    return {Failure::kForbiddenInclude,
            fmt::format("{}: #include {} names no header", file, quote_input(rest))};
  }
  const std::string_view header = rest.substr(1, close - 1);
  if (is_allowed(header, allowed)) return {};
  return {Failure::kForbiddenInclude,
          fmt::format("{}: {} is not among the headers a kernel may include ({})", file,
                      quote_input(header), fmt::join(allowed, ", "))};
}

}  // namespace

Refusal scan_includes(std::string_view source, const std::string& file,
                      const std::vector<std::string_view>& allowed) {
  if (source.find('\0') != std::string_view::npos) {
    return {Failure::kForbiddenDirective, fmt::format("{}: there is a NUL character in it", file)};
  }
  // Trigraphs for # and the backslash, which some compilers replace in some modes.
  if (source.find("?"
                  "?=") != std::string_view::npos ||
      source.find("?"
                  "?/") != std::string_view::npos) {
    return {Failure::kForbiddenDirective, fmt::format("{}: trigraphs are not allowed", file)};
  }
  const Stripped stripped = Stripper(source).strip();
  for (const std::string_view directive : kAssembler) {
    if (stripped.literals.find(directive) != std::string::npos) {
      return {Failure::kForbiddenDirective,
              fmt::format("{}: the assembler's {} is not allowed", file, directive)};
    }
  }
  if (stripped.code.find("_Pragma") != std::string::npos ||
      stripped.code.find("__has_include") != std::string::npos) {
    return {Failure::kForbiddenDirective,
            fmt::format("{}: _Pragma and __has_include are not allowed", file)};
  }
  std::size_t begin = 0;
  while (begin < stripped.code.size()) {
    const std::size_t end = std::min(stripped.code.find('\n', begin), stripped.code.size());
    std::string_view line = trimmed(std::string_view(stripped.code).substr(begin, end - begin));
    begin = end + 1;
    const std::size_t hash = line.substr(0, 1) == "#" ? 1 : line.substr(0, 2) == "%:" ? 2 : 0;
    if (hash == 0) continue;
    Refusal refusal = scan_directive(trimmed(line.substr(hash)), file, allowed);
    if (refusal.failure != Failure::kNone) return refusal;
  }
  return {};
}

}  // namespace tensorpath
