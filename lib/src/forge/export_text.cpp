#include "export_text.h"

#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/format.h>

namespace tensorpath::forge {
namespace {

using Op = Expression::Op;

struct Name {
  Op op;
  std::string_view function;
  int operands;
};

constexpr std::array<Name, 22> kNames = {{
    {Op::kNegate, "tpx_negate", 1},
    {Op::kNot, "tpx_not", 1},
    {Op::kAdd, "tpx_add", 2},
    {Op::kSubtract, "tpx_subtract", 2},
    {Op::kMultiply, "tpx_multiply", 2},
    {Op::kDivide, "tpx_divide", 2},
    {Op::kModulo, "tpx_modulo", 2},
    {Op::kEqual, "tpx_equal", 2},
    {Op::kNotEqual, "tpx_not_equal", 2},
    {Op::kLess, "tpx_less", 2},
    {Op::kLessEqual, "tpx_less_equal", 2},
    {Op::kGreater, "tpx_less", 2},
    {Op::kGreaterEqual, "tpx_less_equal", 2},
    {Op::kAnd, "tpx_and", 2},
    {Op::kOr, "tpx_or", 2},
    {Op::kChoose, "tpx_choose", 3},
    {Op::kMin, "tpx_min", 2},
    {Op::kMax, "tpx_max", 2},
    {Op::kCeilDiv, "tpx_ceil_div", 2},
    {Op::kRoundUp, "tpx_round_up", 2},
    {Op::kPow2Ceil, "tpx_pow2_ceil", 1},
    {Op::kLog2Ceil, "tpx_log2_ceil", 1},
}};

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  return begin == std::string_view::npos ? std::string_view() : text.substr(begin);
}

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

std::string first_word(std::string_view text) {
  text = trimmed(text);
  std::size_t end = 0;
  while (end < text.size() && is_word(text[end])) ++end;
  return std::string(text.substr(0, end));
}

// `extern "C"` would make the entries of two kernels one function.
std::string without_c_linkage(const std::string& text) {
  constexpr std::string_view kExtern = "extern \"C\"";
  std::string out;
  std::size_t at = 0;
  for (std::size_t next = 0; (next = text.find(kExtern, at)) != std::string::npos;) {
    out += text.substr(at, next - at);
    at = next + kExtern.size();
    const std::size_t follows = text.find_first_not_of(" \t\n", at);
    if (follows != std::string::npos && text[follows] == '{') {
      out += "inline namespace entries";
    } else {
      out += "static";
    }
  }
  return out + text.substr(at);
}

}  // namespace

Expected<std::string> fill_template(std::string_view text, const Replacements& replacements,
                                    const std::string& file) {
  std::string out;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t open = text.find('@', at);
    out += text.substr(at, open - at);
    if (open == std::string_view::npos) break;
    std::size_t end = open + 1;
    while (end < text.size() &&
           (std::isupper(static_cast<unsigned char>(text[end])) != 0 ||
            std::isdigit(static_cast<unsigned char>(text[end])) != 0 || text[end] == '_')) {
      ++end;
    }
    if (end == open + 1 || end == text.size() || text[end] != '@') {
      out += '@';
      at = open + 1;
      continue;
    }
    const auto found = replacements.find(text.substr(open + 1, end - open - 1));
    if (found == replacements.end()) {
      return fail(ExitCode::kEnvironment,
                  fmt::format("{}: there is no text for {}", file,
                              quote_input(text.substr(open, end - open + 1))),
                  "the template is of another version of tensorpath");
    }
    out += found->second;
    at = end + 1;
  }
  return out;
}

std::string formula_code(const Expression& formula,
                         const std::function<std::string(const std::string&)>& symbol) {
  std::vector<std::string> stack;
  for (const Expression::Step& step : formula.steps()) {
    const auto* const name = std::find_if(kNames.begin(), kNames.end(),
                                          [&](const Name& one) { return one.op == step.op; });
    if (name == kNames.end()) {
      // The least number has no literal of its own.
      const std::string text =
          step.op == Op::kConstant ? fmt::format("INT64_C({})", step.value) : symbol(step.name);
      stack.push_back(fmt::format("tpx_of({})", text));
      continue;
    }
    const auto operands = static_cast<std::size_t>(name->operands);
    std::vector<std::string> arguments(stack.end() - static_cast<std::ptrdiff_t>(operands),
                                       stack.end());
    stack.resize(stack.size() - operands);
    // a > b is b < a.
    if (step.op == Op::kGreater || step.op == Op::kGreaterEqual) {
      std::reverse(arguments.begin(), arguments.end());
    }
    stack.push_back(fmt::format("{}({})", name->function, fmt::join(arguments, ", ")));
  }
  return stack.empty() ? "tpx_of(0)" : stack.back();
}

EmbeddedSource embed_source(std::string_view source) {
  EmbeddedSource out;
  std::string body;
  for (std::size_t begin = 0; begin < source.size();) {
    const std::size_t end = std::min(source.find('\n', begin), source.size());
    const std::string_view line = source.substr(begin, end - begin);
    begin = end + 1;
    const std::string_view text = trimmed(line);
    if (!text.empty() && text.front() == '#') {
      const std::string_view directive = trimmed(text.substr(1));
      const std::string word = first_word(directive);
      if (word == "include") {
        const std::size_t open = directive.find_first_of("<\"");
        const std::size_t close =
            open == std::string_view::npos ? open : directive.find_first_of(">\"", open + 1);
        if (close != std::string_view::npos) {
          const std::string header(directive.substr(open + 1, close - open - 1));
          if (header != "task.h" && header != "tensorpath_kernel.h") out.headers.insert(header);
        }
        continue;
      }
      if (word == "define") {
        const std::string name = first_word(directive.substr(word.size()));
        if (std::find(out.macros.begin(), out.macros.end(), name) == out.macros.end()) {
          out.macros.push_back(name);
        }
      }
    }
    body += std::string(line) + "\n";
  }
  out.body = without_c_linkage(body);
  return out;
}

std::string with_macros_kept(const EmbeddedSource& source) {
  std::string before;
  std::string after;
  for (const std::string& macro : source.macros) {
    before += fmt::format("#pragma push_macro(\"{0}\")\n#undef {0}\n", macro);
    after += fmt::format("#undef {0}\n#pragma pop_macro(\"{0}\")\n", macro);
  }
  return before + source.body + after;
}

std::string exact_number(double value) {
  std::string text = fmt::format("{}", value);
  // A double in C, and a float in Python.
  if (text.find_first_of(".en") == std::string::npos) text += ".0";
  return text;
}

std::string identifier_of(std::string_view id) {
  std::string out(id);
  std::replace_if(
      out.begin(), out.end(), [](char c) { return !is_word(c); }, '_');
  return out;
}

}  // namespace tensorpath::forge
