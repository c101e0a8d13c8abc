// Reads what a code object says of itself, without running or loading it: sections, symbols,
// relocations, needed libraries and code that runs at load time. For shared objects of host
// candidates and for cubins, both 64-bit little-endian ELF. The bytes are hostile: every offset and
// count is checked, and a malformed file is an error, never a guess.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <tensorpath/base/error.h>

namespace tensorpath {

inline constexpr std::uint16_t kElfMachineX86_64 = 62;
inline constexpr std::uint16_t kElfMachineCuda = 190;

struct ElfSection {
  // Of the fields `type` and `flags`.
  static constexpr std::uint32_t kSymbolTable = 2;
  static constexpr std::uint32_t kStringTable = 3;
  static constexpr std::uint32_t kRelocationsAddend = 4;
  static constexpr std::uint32_t kDynamic = 6;
  static constexpr std::uint32_t kNoBits = 8;
  static constexpr std::uint32_t kRelocations = 9;
  static constexpr std::uint32_t kDynamicSymbols = 11;
  static constexpr std::uint32_t kInitArray = 14;
  static constexpr std::uint32_t kFiniArray = 15;
  static constexpr std::uint32_t kPreinitArray = 16;
  static constexpr std::uint64_t kWrite = 1;
  static constexpr std::uint64_t kAlloc = 2;
  static constexpr std::uint64_t kExecute = 4;
  static constexpr std::uint64_t kThreadLocal = 0x400;

  std::string name;
  std::uint32_t type = 0;
  std::uint64_t flags = 0;
  std::uint64_t address = 0;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  std::uint32_t link = 0;
  std::uint32_t info = 0;

  [[nodiscard]] bool writable() const { return (flags & kWrite) != 0; }
  [[nodiscard]] bool loaded() const { return (flags & kAlloc) != 0; }
};

struct ElfSymbol {
  static constexpr std::uint8_t kLocal = 0, kGlobal = 1, kWeak = 2, kUnique = 10;       // binding
  static constexpr std::uint8_t kNoType = 0, kObject = 1, kFunction = 2, kSection = 3,  // type
      kFile = 4, kThreadLocal = 6, kIndirectFunction = 10;
  static constexpr std::uint16_t kAbsolute = 0xFFF1, kCommon = 0xFFF2;  // section

  std::string name;
  std::uint8_t type = 0;
  std::uint8_t binding = 0;
  std::uint8_t other = 0;     // visibility; on cubins also the kind of entry
  std::uint16_t section = 0;  // index into sections; 0: undefined
  std::uint64_t value = 0;
  std::uint64_t size = 0;
  bool dynamic = false;  // of .dynsym, else of .symtab

  [[nodiscard]] bool undefined() const { return section == 0; }
};

struct ElfRelocation {
  static constexpr std::uint32_t kResolved = 37;  // R_X86_64_IRELATIVE: by a function, when loaded
  std::uint32_t type = 0;
  std::uint64_t offset = 0;
  std::int64_t addend = 0;
  std::string symbol;  // empty: none
};

struct ElfSegment {
  static constexpr std::uint32_t kLoad = 1, kDynamic = 2, kInterpreter = 3, kThreadLocal = 7;
  static constexpr std::uint32_t kStack = 0x6474E551, kReadOnlyOnceLoaded = 0x6474E552;
  static constexpr std::uint32_t kExecute = 1, kWrite = 2, kRead = 4;
  std::uint32_t type = 0;
  std::uint32_t flags = 0;
  std::uint64_t file_bytes = 0;
  std::uint64_t memory_bytes = 0;
  std::uint64_t address = 0;
};

struct ElfObject {
  std::uint16_t file_type = 0;  // 1 relocatable, 2 executable, 3 shared
  std::uint16_t machine = 0;
  std::uint32_t flags = 0;
  std::vector<ElfSection> sections;
  std::vector<ElfSegment> segments;
  std::vector<ElfSymbol> symbols;  // of .symtab and .dynsym
  std::vector<ElfRelocation> relocations;
  std::vector<std::string> needed;  // DT_NEEDED
  bool runs_at_load = false;        // DT_INIT, or arrays of constructors with entries
  bool runs_at_unload = false;      // DT_FINI, or arrays of destructors with entries
  // The loader's table holds what no linker puts there for a kernel: a tag twice, something behind
  // its end, a tag that has the loader look elsewhere. What the sections say is then no evidence.
  bool strange_dynamic = false;

  // The first section of that name; null when there is none.
  [[nodiscard]] const ElfSection* find_section(std::string_view name) const;
  // Names that the object takes from elsewhere: undefined dynamic symbols, each once, sorted. Of a
  // relocatable object and a cubin, undefined symbols of .symtab.
  [[nodiscard]] std::vector<std::string> imports() const;
  // Whether it defines a function of that name that can be looked up.
  [[nodiscard]] bool defines_function(std::string_view name) const;
};

[[nodiscard]] Expected<ElfObject> read_elf(std::string_view bytes, const std::string& name);

}  // namespace tensorpath
