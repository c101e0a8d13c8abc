#include "harness/elf.h"

#include "catch.h"

#include <tensorpath/base/file.h>

using namespace tensorpath;

namespace {

std::string bytes_of(const std::string& name) {
  const auto bytes =
      read_file(std::string(TENSORPATH_SOURCE_DIR) + "/tests/fuzz/corpus/elf/" + name);
  REQUIRE(bytes);
  return *bytes;
}

ElfObject object_of(const std::string& name) {
  const auto object = read_elf(bytes_of(name), name);
  REQUIRE(object);
  return *object;
}

}  // namespace

TEST_CASE("a shared object names its imports, libraries and constructors") {
  const ElfObject object = object_of("constructor.so");
  CHECK(object.machine == kElfMachineX86_64);
  const auto imports = object.imports();
  CHECK(std::find(imports.begin(), imports.end(), "sin") != imports.end());
  CHECK(std::find(object.needed.begin(), object.needed.end(), "libm.so.6") != object.needed.end());
  CHECK(object.runs_at_load);
  CHECK(object.defines_function("f"));
  CHECK_FALSE(object.defines_function("start"));
  CHECK_FALSE(object.defines_function("sin"));
  const ElfSection* bss = object.find_section(".bss");
  REQUIRE(bss != nullptr);
  CHECK(bss->writable());
}

TEST_CASE("a table for the loader that no linker wrote is told") {
  CHECK(object_of("forged.so").strange_dynamic);
  CHECK_FALSE(object_of("constructor.so").strange_dynamic);
}

TEST_CASE("a relocatable object is read too") {
  const ElfObject object = object_of("constructor.o");
  CHECK(object.file_type == 1);
  CHECK(object.runs_at_load);
  CHECK(object.defines_function("f"));
  CHECK_FALSE(object.relocations.empty());
}

TEST_CASE("a cubin names its kernels, globals and what it calls") {
  const ElfObject object = object_of("globals.cubin");
  CHECK(object.machine == kElfMachineCuda);
  CHECK(object.defines_function("scale"));
  CHECK(object.defines_function("talk"));
  const auto imports = object.imports();
  CHECK(std::find(imports.begin(), imports.end(), "malloc") != imports.end());
  CHECK(std::find(imports.begin(), imports.end(), "vprintf") != imports.end());
  const ElfSection* global = object.find_section(".nv.global");
  REQUIRE(global != nullptr);
  CHECK(global->size == 4);
  const bool refers = std::any_of(object.relocations.begin(), object.relocations.end(),
                                  [](const ElfRelocation& one) { return one.symbol == "counter"; });
  CHECK(refers);
}

TEST_CASE("what is no code object is an error that says so") {
  CHECK_FALSE(read_elf("", "empty"));
  CHECK_FALSE(read_elf("#!/bin/sh\nexit 0\n", "script"));
  const auto text = read_elf(std::string(200, 'x'), "candidate.cubin");
  REQUIRE_FALSE(text);
  CHECK(text.error().to_string().find("candidate.cubin is no code object") != std::string::npos);
}

TEST_CASE("a cut file is refused, wherever it is cut before its section headers") {
  const std::string whole = bytes_of("plain.cubin");
  for (std::size_t size = 1; size < whole.size() / 2; size += 97) {
    CAPTURE(size);
    CHECK_FALSE(read_elf(std::string_view(whole).substr(0, size), "cut.cubin"));
  }
}

TEST_CASE("no single wrong byte makes it read outside the file") {
  const std::string whole = bytes_of("constructor.so");
  for (std::size_t at = 0; at < whole.size(); at += 3) {
    for (const char flip : {'\xFF', '\x80', '\x01'}) {
      std::string bytes = whole;
      bytes[at] = static_cast<char>(bytes[at] ^ flip);
      (void)read_elf(bytes, "flipped.so");  // the sanitized build is the judge
    }
  }
}
