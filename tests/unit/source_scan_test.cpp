#include "harness/source_scan.h"

#include "catch.h"

#include <tensorpath/base/file.h>

using namespace tensorpath;

namespace {

Failure scanned(const std::string& source) {
  return scan_includes(source, "kernel.cpp", {"task.h", "cmath", "cuda/std/"}).failure;
}

}  // namespace

TEST_CASE("headers on the list are allowed, others are not") {
  CHECK(scanned("#include \"task.h\"\n#include <cmath>\n#include <cuda/std/limits>\n") ==
        Failure::kNone);
  CHECK(scanned("#include <mutex>\n") == Failure::kForbiddenInclude);
  CHECK(scanned("#include <cuda/std/../../passwd>\n") == Failure::kForbiddenInclude);
  CHECK(scanned("#include HEADER\n") == Failure::kForbiddenInclude);
  CHECK(scanned("int a;\n  %: /* */ include /**/ \"/etc/passwd\"") == Failure::kForbiddenInclude);
  CHECK(scanned("#inc\\\nlude \"/etc/passwd\"\n") == Failure::kForbiddenInclude);
  CHECK(scanned("#inc\\ \t\nlude \"/etc/passwd\"\n") == Failure::kForbiddenInclude);
}

TEST_CASE("what stands in a comment or in a string includes nothing") {
  CHECK(scanned("// #include <mutex>\n/*\n#include <mutex>\n*/ int a = '\"';\n") == Failure::kNone);
  CHECK(scanned("const char* a = R\"(\n#include <mutex>\n)\";\n") == Failure::kNone);
  CHECK(scanned("const int million = 1'000'000, a = 0x1'fp+3;\nconst auto b = L'\"';\n") ==
        Failure::kNone);
}

TEST_CASE("no string, character or comment hides an include behind it") {
  const std::string hidden = "#include \"/etc/passwd\"\n";
  for (const std::string before :
       {"#define include_from \"/*\"\n",             // a definition, no include
        "#define FOR\nconst char* a = FOR\"(\";\n",  // a macro's name before a string
        "const auto a = L'\"';\n",                   // a quote as a wide character
        "const auto a = u8'\"';\n",                  //
        "const auto a = 1'0'0;\n",                   // digit separators
        "#error don't\n",                            // quotes without an end
        "#if 0\nit's \"\n#endif\n",                  //
        "const char* a = \"/*\";\n",                 //
        "const char* a = R\"x(/*)x\";\n",            //
        "const char* a = \"\\\\\";\n",               //
        "const char a[] = \"a\\\nb\";\n",            // a string over two lines
        "int R; const char* a = \")\" \"R\" \"(\";\n"}) {
    INFO(before);
    CHECK(scanned(before + hidden + "const char* c = \")\"; /* */\n") ==
          Failure::kForbiddenInclude);
    CHECK(scanned(before + "int b;\n" + hidden + "const char* c = \")\"; /* */\n") ==
          Failure::kForbiddenInclude);
  }
}

TEST_CASE("what compilers read in more than one way is refused") {
  CHECK(scanned("const char* a = R\"( )\\\n\" )\";\n") == Failure::kForbiddenDirective);
  CHECK(scanned("#define A R\"(\n#include <mutex>\n)\"\n") == Failure::kForbiddenDirective);
  CHECK(scanned("const char* a = R\"//\"\n;") == Failure::kForbiddenDirective);
  CHECK(scanned("#define DROP(x)\nDROP(\"a\"R\"(\")\n") == Failure::kForbiddenDirective);
  CHECK(scanned("#define DROP(x)\nDROP(\u201cR\"(\")\n") == Failure::kForbiddenDirective);
  CHECK(scanned(std::string("int a;\0", 7)) == Failure::kForbiddenDirective);
  CHECK(scanned("?"
                "?=include <mutex>\n") == Failure::kForbiddenDirective);
  // In comments and strings people write as they like.
  CHECK(scanned("// \u00fcber\nconst char* a = \"\u00fc\";\n") == Failure::kNone);
}

TEST_CASE("directives that read files or steer more than the optimiser are refused") {
  CHECK(scanned("#pragma GCC unroll 8\n#pragma once\n") == Failure::kNone);
  for (const std::string source :
       {"#pragma GCC dependency \"/etc/passwd\"\n", "_Pragma(\"GCC poison a\")\n",
        "#if __has_include(<mutex>)\n#endif\n", "#import <cmath>\n", "#include_next <cmath>\n",
        "#line 1 \"/etc/passwd\"\n", "# 1 \"/etc/passwd\"\n"}) {
    INFO(source);
    CHECK(scanned(source) == Failure::kForbiddenDirective);
  }
}

TEST_CASE("the assembler's own includes are found however they are spelled") {
  CHECK(scanned("asm(\"nop\");\n") == Failure::kNone);
  for (const std::string source :
       {"asm(\".incbin \\\"a\\\"\");", "asm(\".INCBIN a\");", "asm(\".inc\" \"bin a\");",
        "asm(\".\\x69ncbin a\");", "asm(\".\\151ncbin a\");", "asm(R\"(.include \"a\")\");"}) {
    INFO(source);
    CHECK(scanned(source) == Failure::kForbiddenDirective);
  }
}

TEST_CASE("a kernel must not tell sanitizers from nothing") {
  for (const std::string source :
       {"__attribute__((no_sanitize(\"address\"))) void a();", "[[gnu::no_sanitize_thread]] int a;",
        "#ifdef __SANITIZE_ADDRESS__\n#endif\n"}) {
    INFO(source);
    CHECK(scanned(source) == Failure::kForbiddenDirective);
  }
}
