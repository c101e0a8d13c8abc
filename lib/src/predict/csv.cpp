#include "csv.h"

#include <charconv>
#include <cmath>

namespace tensorpath::perf {
namespace {

class Reader {
 public:
  Reader(std::string_view text, const std::string& file) : text_(text), file_(file) {
    if (text_.substr(0, 3) == "\xEF\xBB\xBF") text_.remove_prefix(3);
  }

  [[nodiscard]] bool at_end() const { return position_ >= text_.size(); }

  // One row; empty lines come back as one empty cell.
  Expected<std::vector<CsvCell>> row() {
    std::vector<CsvCell> cells;
    while (true) {
      auto cell = read_cell();
      if (!cell) return tl::make_unexpected(cell.error());
      cells.push_back(std::move(*cell));
      if (at_end()) break;
      if (take(',')) continue;
      take('\r');
      take('\n');
      break;
    }
    return cells;
  }

 private:
  bool take(char wanted) {
    if (at_end() || text_[position_] != wanted) return false;
    advance();
    return true;
  }

  void advance() {
    if (text_[position_] == '\n') {
      ++line_;
      column_ = 0;
    }
    ++column_;
    ++position_;
  }

  [[nodiscard]] bool ends_cell() const {
    return at_end() || text_[position_] == ',' || text_[position_] == '\n' ||
           text_[position_] == '\r';
  }

  Expected<CsvCell> read_cell() {
    CsvCell cell{{}, line_, column_};
    if (!take('"')) {
      while (!ends_cell()) {
        if (text_[position_] == '\0') return fail_here("a NUL byte in a CSV file", "is it text?");
        if (text_[position_] == '"') {
          return fail_here("a quote inside an unquoted cell",
                           "quote the whole cell and double the quotes in it");
        }
        cell.text += text_[position_];
        advance();
      }
      return cell;
    }
    while (true) {
      if (at_end()) {
        return fail_at({file_, cell.line, cell.column}, "this quote is never closed",
                       "end the cell with \"");
      }
      if (take('"')) {
        if (!take('"')) break;
        cell.text += '"';
        continue;
      }
      cell.text += text_[position_];
      advance();
    }
    if (!ends_cell()) return fail_here("text after a closing quote", "put a comma between cells");
    return cell;
  }

  tl::unexpected<Error> fail_here(std::string message, std::string hint) const {
    return fail_at({file_, line_, column_}, std::move(message), std::move(hint));
  }

  std::string_view text_;
  const std::string& file_;
  std::size_t position_ = 0;
  int line_ = 1;
  int column_ = 1;
};

bool is_blank(const std::vector<CsvCell>& row) { return row.size() == 1 && row[0].text.empty(); }

}  // namespace

int CsvTable::column(std::string_view name) const {
  for (std::size_t i = 0; i < header.size(); ++i) {
    if (header[i].text == name) return static_cast<int>(i);
  }
  return -1;
}

Expected<CsvTable> parse_csv(std::string_view text, const std::string& file) {
  CsvTable table;
  table.file = file;
  Reader reader(text, file);
  while (!reader.at_end()) {
    auto row = reader.row();
    if (!row) return tl::make_unexpected(row.error());
    if (is_blank(*row)) continue;
    if (table.header.empty()) {
      for (const CsvCell& cell : *row) {
        if (table.column(cell.text) >= 0) {
          return fail_at({file, cell.line, cell.column},
                         "column " + quote_input(cell.text) + " is there twice");
        }
        table.header.push_back(cell);
      }
      continue;
    }
    if (row->size() != table.header.size()) {
      const CsvCell& last = row->back();
      return fail_at({file, last.line, last.column},
                     "this row has " + std::to_string(row->size()) + " cells, the header has " +
                         std::to_string(table.header.size()),
                     "leave an unknown value empty, but keep its comma");
    }
    table.rows.push_back(std::move(*row));
  }
  if (table.header.empty()) {
    return fail_at({file, 1, 1}, "an empty file; expected a header row with column names");
  }
  return table;
}

std::optional<double> csv_number(const CsvCell& cell) {
  std::string_view text = cell.text;
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) {
    return std::nullopt;
  }
  return value;
}

}  // namespace tensorpath::perf
