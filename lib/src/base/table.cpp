#include <algorithm>
#include <numeric>

#include <tensorpath/base/table.h>

namespace tensorpath {
namespace {

constexpr int kGap = 2;
// Text past this width is cut before a whole column is given up.
constexpr int kComfortableText = 32;
// A cell cut below this says nothing.
constexpr int kNarrowest = 4;

bool starts_code_point(char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }

// Cells come from files and from the network: no control character may reach the terminal.
std::string one_line(const std::string& text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    out += byte < 0x20 || byte == 0x7F ? ' ' : c;
  }
  return out;
}

std::string first_code_points(const std::string& text, int count) {
  std::size_t i = 0;
  for (int seen = 0; i < text.size(); ++i) {
    if (starts_code_point(text[i]) && seen++ == count) break;
  }
  return text.substr(0, i);
}

std::string fitted(const std::string& text, int width, Column::Align align) {
  const int wide = display_width(text);
  if (wide > width) return first_code_points(text, width - 1) + "…";
  const std::string pad(static_cast<std::size_t>(width - wide), ' ');
  return align == Column::Align::kLeft ? text + pad : pad + text;
}

void trim_right(std::string& line) { line.erase(line.find_last_not_of(' ') + 1); }

// What a table looks like at one width: the columns that stay and how wide each is.
struct Layout {
  std::vector<std::size_t> columns;
  std::vector<int> widths;  // by index into all columns

  [[nodiscard]] int total() const {
    int sum = kGap * (static_cast<int>(columns.size()) - 1);
    for (const std::size_t c : columns) sum += widths[c];
    return sum;
  }
};

// Narrows the widest column that may be cut down to `floor`, one code point at a time.
void cut_widest(Layout& layout, const std::vector<Column>& columns, int width, int floor,
                bool text_only) {
  while (layout.total() > width) {
    int* widest = nullptr;
    for (const std::size_t c : layout.columns) {
      if (text_only && (columns[c].whole || columns[c].align != Column::Align::kLeft)) continue;
      if (layout.widths[c] <= floor) continue;
      if (widest == nullptr || layout.widths[c] > *widest) widest = &layout.widths[c];
    }
    if (widest == nullptr) return;
    --*widest;
  }
}

void drop_least_important(Layout& layout, const std::vector<Column>& columns, int width) {
  while (layout.total() > width && layout.columns.size() > 1) {
    auto victim = layout.columns.begin();
    for (auto it = victim; it != layout.columns.end(); ++it) {
      if (columns[*it].importance <= columns[*victim].importance) victim = it;
    }
    layout.columns.erase(victim);
  }
}

std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + '"';
}

std::string markdown_cell(const std::string& text) {
  std::string out;
  for (const char c : one_line(text)) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

}  // namespace

Table::Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

void Table::add_row(std::vector<std::string> cells) {
  cells.resize(columns_.size());
  rows_.push_back(std::move(cells));
}

std::string Table::to_terminal(int width) const {
  if (columns_.empty()) return {};
  std::vector<std::vector<std::string>> rows;
  rows.reserve(rows_.size());
  Layout layout;
  layout.columns.resize(columns_.size());
  std::iota(layout.columns.begin(), layout.columns.end(), 0);
  for (const Column& column : columns_) layout.widths.push_back(display_width(column.title));
  for (const auto& row : rows_) {
    rows.emplace_back();
    for (std::size_t c = 0; c < row.size(); ++c) {
      rows.back().push_back(one_line(row[c]));
      layout.widths[c] = std::max(layout.widths[c], display_width(rows.back().back()));
    }
  }
  if (width > 0) {
    cut_widest(layout, columns_, width, kComfortableText, true);
    drop_least_important(layout, columns_, width);
    cut_widest(layout, columns_, width, std::min(kNarrowest, width), false);
  }

  std::string out;
  const auto add_line = [&](auto&& cell_of) {
    std::string line;
    for (const std::size_t c : layout.columns) {
      if (!line.empty()) line.append(kGap, ' ');
      line += fitted(cell_of(c), layout.widths[c], columns_[c].align);
    }
    trim_right(line);
    out += line + '\n';
  };
  add_line([&](std::size_t c) { return columns_[c].title; });
  add_line(
      [&](std::size_t c) { return std::string(static_cast<std::size_t>(layout.widths[c]), '-'); });
  for (const auto& row : rows) add_line([&](std::size_t c) { return row[c]; });
  return out;
}

std::string Table::to_markdown() const {
  std::string out;
  const auto add_line = [&](auto&& cell_of) {
    out += '|';
    for (std::size_t c = 0; c < columns_.size(); ++c) out += ' ' + cell_of(c) + " |";
    out += '\n';
  };
  add_line([&](std::size_t c) { return markdown_cell(columns_[c].title); });
  add_line([&](std::size_t c) {
    return std::string(columns_[c].align == Column::Align::kRight ? "---:" : "---");
  });
  for (const auto& row : rows_) add_line([&](std::size_t c) { return markdown_cell(row[c]); });
  return out;
}

std::string Table::to_csv() const {
  std::string out;
  const auto add_line = [&](auto&& cell_of) {
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      if (c > 0) out += ',';
      out += csv_cell(cell_of(c));
    }
    out += '\n';
  };
  add_line([&](std::size_t c) { return columns_[c].title; });
  for (const auto& row : rows_) add_line([&](std::size_t c) { return row[c]; });
  return out;
}

int display_width(const std::string& text) {
  return static_cast<int>(std::count_if(text.begin(), text.end(), starts_code_point));
}

std::string wrap_text(const std::string& text, int width, int indent) {
  const std::string margin(static_cast<std::size_t>(std::max(indent, 0)), ' ');
  const int room = width <= 0 ? 0 : std::max(width - indent, 1);
  std::string out;
  std::string line;
  const auto flush = [&] {
    if (!line.empty()) out += margin + line;
    out += '\n';
    line.clear();
  };
  const auto add_word = [&](std::string word) {
    if (word.empty()) return;
    const int together = display_width(line) + 1 + display_width(word);
    if (!line.empty() && room > 0 && together > room) flush();
    while (room > 0 && display_width(word) > room) {
      line = first_code_points(word, room);
      word.erase(0, line.size());
      flush();
    }
    if (!line.empty() && !word.empty()) line += ' ';
    line += word;
  };
  std::string word;
  for (const char c : text) {
    if (c != ' ' && c != '\n') {
      word += c;
      continue;
    }
    add_word(std::move(word));
    word.clear();
    if (c == '\n') flush();
  }
  add_word(std::move(word));
  if (!line.empty()) out += margin + line;
  return out;
}

}  // namespace tensorpath
