#include "catch.h"

#include <sstream>

#include <tensorpath/base/table.h>

using namespace tensorpath;

namespace {

int widest_line(const std::string& text) {
  std::istringstream lines(text);
  int widest = 0;
  for (std::string line; std::getline(lines, line);) {
    widest = std::max(widest, display_width(line));
  }
  return widest;
}

Table plans() {
  Table table({{"GPU", Column::Align::kLeft, 5},
               {"tok/s", Column::Align::kRight, 4},
               {"note", Column::Align::kLeft, 1}});
  table.add_row({"h100_sxm", "12,345", "short"});
  table.add_row({"l40s", "9", "größer als 1 GiB"});
  return table;
}

}  // namespace

TEST_CASE("columns line up, numbers on the right") {
  CHECK(plans().to_terminal(0) ==
        "GPU        tok/s  note\n"
        "--------  ------  ----------------\n"
        "h100_sxm  12,345  short\n"
        "l40s           9  größer als 1 GiB\n");
}

TEST_CASE("a table never grows past the terminal") {
  for (int width = 1; width < 60; ++width) {
    INFO("width " << width);
    CHECK(widest_line(plans().to_terminal(width)) <= width);
  }
}

TEST_CASE("the least important column goes first") {
  const std::string text = plans().to_terminal(20);
  CHECK(text.find("note") == std::string::npos);
  CHECK(text.find("12,345") != std::string::npos);
}

TEST_CASE("a name to be copied stays whole while there are columns to give up") {
  Table table({{"kernel", Column::Align::kLeft, 9, true},
               {"level", Column::Align::kLeft, 1},
               {"ratio", Column::Align::kRight, 5}});
  table.add_row({"cuda_rmsnorm_h200_sxm_fp32_16x4096_v1", "runtime", "1.40x"});
  CHECK(table.to_terminal(46) ==
        "kernel                                 ratio\n"
        "-------------------------------------  -----\n"
        "cuda_rmsnorm_h200_sxm_fp32_16x4096_v1  1.40x\n");
  CHECK(widest_line(table.to_terminal(20)) <= 20);
}

TEST_CASE("long text is cut before a column is given up") {
  Table table({{"GPU"}, {"why", Column::Align::kLeft, 1}});
  table.add_row({"h100_sxm", std::string(200, 'w')});
  const std::string text = table.to_terminal(60);
  CHECK(widest_line(text) == 60);
  CHECK(text.find("…") != std::string::npos);
  CHECK(text.find("h100_sxm") != std::string::npos);
}

TEST_CASE("a cell cannot move the cursor or break the row") {
  Table table({{"name"}});
  table.add_row({"a\n\x1b[2Jb"});
  CHECK(table.to_terminal(0) == "name\n-------\na  [2Jb\n");
}

TEST_CASE("Markdown escapes what would split a cell") {
  Table table({{"a|b"}, {"n", Column::Align::kRight}});
  table.add_row({"x|y", "1"});
  CHECK(table.to_markdown() == "| a\\|b | n |\n| --- | ---: |\n| x\\|y | 1 |\n");
}

TEST_CASE("CSV quotes commas, quotes and line breaks") {
  Table table({{"a"}, {"b"}});
  table.add_row({"1,5", "say \"x\"\nand go"});
  CHECK(table.to_csv() == "a,b\n\"1,5\",\"say \"\"x\"\"\nand go\"\n");
}

TEST_CASE("text folds at spaces, and inside a word only when it must") {
  CHECK(wrap_text("one two three", 7) == "one two\nthree");
  CHECK(wrap_text("one two three", 9, 2) == "  one two\n  three");
  CHECK(wrap_text("abcdefghij", 4) == "abcd\nefgh\nij");
  CHECK(wrap_text("no limit at all", 0) == "no limit at all");
  CHECK(wrap_text("kept\nbreaks", 40) == "kept\nbreaks");
}
