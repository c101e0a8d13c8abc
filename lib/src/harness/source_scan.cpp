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

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\f\v");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\f\v") - begin + 1);
}

// Characters before the parenthesis of a raw string: the standard's limit.
constexpr std::size_t kMostDelimiter = 16;
// Ways to tell the instrumented builds from the plain one, or to be left out of them.
constexpr std::array<std::string_view, 5> kSanitizerWords = {
    "no_sanitize", "no-sanitize", "no_address_safety", "disable_sanitizer", "__SANITIZE"};

// The source with line continuations spliced and comments gone; string literals are set apart.
struct Stripped {
  std::string code;      // literals of text are empty there, but for those of includes
  std::string literals;  // their contents, a line each, escapes undone
  // Something that compilers read in more than one way: a raw string with a splice in it, without
  // an end, in a directive of one line or right behind another literal; characters beyond ASCII
  // outside of literals.
  bool ambiguous = false;
};

struct Spliced {
  std::string text;
  std::vector<std::size_t> joins;  // where in it a splice was
};

Spliced spliced(std::string_view source) {
  Spliced out;
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\\') {
      out.text += source[i];
      continue;
    }
    // GCC lets blanks stand between the backslash and the end of the line.
    std::size_t end = i + 1;
    while (end < source.size() &&
           std::string_view(" \t\r\f\v").find(source[end]) != std::string::npos)
      ++end;
    if (end < source.size() && source[end] == '\n') {
      i = end;
      out.joins.push_back(out.text.size());
    } else {
      out.text += source[i];
    }
  }
  return out;
}

bool is_digit(char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; }
bool in_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$';
}
bool is_raw_prefix(std::string_view word) {
  return word == "R" || word == "LR" || word == "uR" || word == "UR" || word == "u8R";
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
    unsigned value = 0;
    while (at < text.size() && digit_of(text[at]) >= 0) {
      value = value * 16 + static_cast<unsigned>(digit_of(text[at++]));
    }
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

// Follows the compiler's own lexer: where the two part, a directive could hide.
class Stripper {
 public:
  explicit Stripper(std::string_view source) : spliced_(spliced(source)), text_(spliced_.text) {}

  Stripped strip() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      const bool fraction = c == '.' && at_ + 1 < text_.size() && is_digit(text_[at_ + 1]);
      if (text_.compare(at_, 2, "//") == 0) {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (text_.compare(at_, 2, "/*") == 0) {
        const std::size_t end = text_.find("*/", at_ + 2);
        at_ = end == std::string::npos ? text_.size() : end + 2;
        out_.code += ' ';
      } else if (is_digit(c) || fraction) {
        number();
      } else if (in_word(c)) {
        word();
      } else if ((c == '"' || c == '<') && after_include()) {
        header_name(c == '<' ? '>' : '"');
      } else if (c == '"') {
        literal(false);
      } else if (c == '\'') {
        character();
      } else {
        out_.ambiguous |= (static_cast<unsigned char>(c) & 0x80U) != 0;
        out_.code += c;
        ++at_;
      }
    }
    return std::move(out_);
  }

 private:
  [[nodiscard]] std::string_view line() const {
    const std::size_t begin = out_.code.rfind('\n') + 1;  // npos + 1 is 0
    return trimmed(std::string_view(out_.code).substr(begin));
  }
  [[nodiscard]] bool in_directive() const {
    return line().substr(0, 1) == "#" || line().substr(0, 2) == "%:";
  }
  // Whether the line so far is a directive that a header's name may follow.
  [[nodiscard]] bool after_include() const {
    std::string_view text = line();
    if (text.substr(0, 1) == "#") {
      text.remove_prefix(1);
    } else if (text.substr(0, 2) == "%:") {
      text.remove_prefix(2);
    } else {
      return false;
    }
    text = trimmed(text);
    return text == "include" || text == "include_next" || text == "import" || text == "embed";
  }
  void header_name(char close) {
    do {
      out_.code += text_[at_++];
    } while (at_ < text_.size() && text_[at_] != close && text_[at_] != '\n');
    if (at_ < text_.size() && text_[at_] == close) out_.code += text_[at_++];
  }
  // A quote inside a number is a digit separator.
  void number() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      const char before = out_.code.empty() ? ' ' : out_.code.back();
      const bool sign =
          (c == '+' || c == '-') && std::string_view("eEpP").find(before) != std::string::npos;
      const bool separator = c == '\'' && at_ + 1 < text_.size() && in_word(text_[at_ + 1]);
      if (!in_word(c) && c != '.' && !sign && !separator) return;
      out_.code += c;
      ++at_;
    }
  }
  // An identifier, or what stands before a literal.
  void word() {
    if (takes_raw_prefix()) literal(true);
  }
  bool takes_raw_prefix() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && in_word(text_[at_])) ++at_;
    const std::string_view word = std::string_view(text_).substr(begin, at_ - begin);
    out_.code += word;
    return at_ < text_.size() && text_[at_] == '"' && is_raw_prefix(word);
  }
  void literal(bool raw) {
    const std::size_t begin = at_;
    out_.code += "\"\"";
    ++at_;
    if (raw) {
      const std::size_t open = std::min(text_.find('(', at_), text_.size());
      const std::string close = ")" + text_.substr(at_, open - at_) + "\"";
      const std::size_t end = text_.find(close, open);
      out_.literals += text_.substr(open, end == std::string::npos ? end : end - open);
      at_ = end == std::string::npos ? text_.size() : end + close.size();
      const std::string_view all = std::string_view(text_).substr(begin, at_ - begin);
      const bool odd = close.find_first_of(" \\\t\v\f\n\"", 1) != close.size() - 1 ||
                       close.size() > kMostDelimiter + 2;
      out_.ambiguous |= end == std::string::npos || odd ||
                        (in_directive() && all.find('\n') != std::string_view::npos);
      out_.ambiguous |= std::any_of(spliced_.joins.begin(), spliced_.joins.end(),
                                    [&](std::size_t join) { return join >= begin && join <= at_; });
    } else {
      while (at_ < text_.size() && text_[at_] != '"' && text_[at_] != '\n') {
        const char c = text_[at_++];
        out_.literals += c == '\\' && at_ < text_.size() ? unescaped(text_, at_) : c;
      }
      if (at_ < text_.size() && text_[at_] == '"') ++at_;
    }
    suffix();
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
    at_ = std::min(at_, text_.size());
    // A line that ends first ends it too.
    if (at_ < text_.size() && text_[at_] == '\'') ++at_;
    out_.code += "0";
    suffix();
  }
  // Of a user-defined literal.
  void suffix() {
    if (at_ >= text_.size() || !in_word(text_[at_]) || is_digit(text_[at_])) return;
    out_.ambiguous |= takes_raw_prefix();
  }

  Spliced spliced_;
  const std::string& text_;
  std::size_t at_ = 0;
  Stripped out_;
};

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
  if (word.empty() && !rest.empty() && is_digit(rest.front())) {
    return {Failure::kForbiddenDirective, fmt::format("{}: line markers are not allowed", file)};
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
  if (stripped.ambiguous) {
    return {Failure::kForbiddenDirective,
            fmt::format("{}: it could be read in more than one way: a raw string that holds a "
                        "continued line, has no end or touches another literal, or characters "
                        "beyond ASCII",
                        file)};
  }
  // The assembler does not mind the case.
  std::string literals = stripped.literals;
  std::transform(literals.begin(), literals.end(), literals.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const std::string_view directive : kAssembler) {
    if (literals.find(directive) != std::string::npos) {
      return {Failure::kForbiddenDirective,
              fmt::format("{}: the assembler's {} is not allowed", file, directive)};
    }
  }
  for (const std::string_view word : kSanitizerWords) {
    if (stripped.code.find(word) != std::string::npos ||
        stripped.literals.find(word) != std::string::npos) {
      return {Failure::kForbiddenDirective,
              fmt::format("{}: what a kernel does must not depend on sanitizers ({})", file, word)};
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
