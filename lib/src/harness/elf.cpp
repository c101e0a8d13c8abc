#include "elf.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <set>
#include <type_traits>

#include <elf.h>  // NOLINT(readability-duplicate-include): the system's
#include <fmt/format.h>

namespace tensorpath {
namespace {

// Far above what one kernel makes, low enough that a hostile file costs nothing.
constexpr std::uint64_t kMostSections = 20'000;
constexpr std::uint64_t kMostSegments = 256;
constexpr std::uint64_t kMostEntries = 1'000'000;       // symbols, relocations, dynamic entries
constexpr std::size_t kMostNameBytes = 16'384;          // C++ names get long
constexpr std::size_t kMostNamesTogether = 256U << 20;  // long names over and over

class ElfReader {
 public:
  ElfReader(std::string_view bytes, const std::string& name) : bytes_(bytes), name_(name) {}

  Expected<ElfObject> read() {
    if (!header() || !sections() || !segments() || !symbols() || !relocations() || !dynamic()) {
      return fail(ExitCode::kUsage, fmt::format("{} is no code object: {}", name_, problem_));
    }
    arrays();
    return std::move(object_);
  }

 private:
  bool stop(std::string what) {
    problem_ = std::move(what);
    return false;
  }

  bool inside(std::uint64_t offset, std::uint64_t size) const {
    return offset <= bytes_.size() && size <= bytes_.size() - offset;
  }

  template <typename T>
  std::optional<T> at(std::uint64_t offset) const {
    static_assert(std::is_trivially_copyable_v<T>);
    if (!inside(offset, sizeof(T))) return std::nullopt;
    T out;
    std::memcpy(&out, bytes_.data() + offset, sizeof out);
    return out;
  }

  bool header() {
    const auto head = at<Elf64_Ehdr>(0);
    if (!head || std::memcmp(head->e_ident, ELFMAG, SELFMAG) != 0) return stop("not an ELF file");
    if (head->e_ident[EI_CLASS] != ELFCLASS64 || head->e_ident[EI_DATA] != ELFDATA2LSB) {
      return stop("not 64-bit little-endian");
    }
    if (head->e_shnum != 0 && head->e_shentsize != sizeof(Elf64_Shdr)) {
      return stop("section headers of another size");
    }
    if (head->e_phnum != 0 && head->e_phentsize != sizeof(Elf64_Phdr)) {
      return stop("program headers of another size");
    }
    head_ = *head;
    object_.file_type = head->e_type;
    object_.machine = head->e_machine;
    object_.flags = head->e_flags;
    return true;
  }

  bool sections() {
    if (head_.e_shoff == 0) return true;
    const auto first = at<Elf64_Shdr>(head_.e_shoff);
    if (!first) return stop("section headers beyond the end");
    // More than 65,279 sections keep their number in the first header; no kernel has them.
    if (head_.e_shnum == 0 || head_.e_shnum > kMostSections) return stop("too many sections");
    std::vector<std::uint32_t> names;
    for (std::uint64_t i = 0; i < head_.e_shnum; ++i) {
      const auto raw = at<Elf64_Shdr>(head_.e_shoff + i * sizeof(Elf64_Shdr));
      if (!raw) return stop("section headers beyond the end");
      if (raw->sh_type != SHT_NOBITS && raw->sh_type != SHT_NULL &&
          !inside(raw->sh_offset, raw->sh_size)) {
        return stop("a section beyond the end");
      }
      object_.sections.push_back({.name = {},
                                  .type = raw->sh_type,
                                  .flags = raw->sh_flags,
                                  .address = raw->sh_addr,
                                  .offset = raw->sh_offset,
                                  .size = raw->sh_size,
                                  .link = raw->sh_link,
                                  .info = raw->sh_info});
      names.push_back(raw->sh_name);
    }
    for (std::size_t i = 0; i < names.size(); ++i) {
      const auto text = string_in(head_.e_shstrndx, names[i]);
      if (!text) return false;
      object_.sections[i].name = *text;
    }
    return true;
  }

  bool segments() {
    if (head_.e_phnum > kMostSegments) return stop("too many program headers");
    for (std::uint64_t i = 0; i < head_.e_phnum; ++i) {
      const auto raw = at<Elf64_Phdr>(head_.e_phoff + i * sizeof(Elf64_Phdr));
      if (!raw) return stop("program headers beyond the end");
      object_.segments.push_back(
          {raw->p_type, raw->p_flags, raw->p_filesz, raw->p_memsz, raw->p_vaddr});
      if (raw->p_type == PT_DYNAMIC) dynamic_segment_ = *raw;
    }
    return true;
  }

  // A string of the string table that is section `table`.
  std::optional<std::string> string_in(std::uint64_t table, std::uint64_t offset) {
    if (table >= object_.sections.size() ||
        object_.sections[table].type != ElfSection::kStringTable) {
      stop("a name in a section that holds no names");
      return std::nullopt;
    }
    const ElfSection& section = object_.sections[table];
    return string_at(section.offset, section.size, offset);
  }

  std::optional<std::string> string_at(std::uint64_t begin, std::uint64_t size,
                                       std::uint64_t offset) {
    if (!inside(begin, size) || offset >= size) {
      stop("a name beyond its table");
      return std::nullopt;
    }
    const std::string_view rest = bytes_.substr(begin + offset, size - offset);
    const std::size_t end = rest.substr(0, kMostNameBytes).find('\0');
    if (end == std::string_view::npos) {
      stop("a name without an end");
      return std::nullopt;
    }
    names_together_ += end;
    if (names_together_ > kMostNamesTogether) {
      stop("too many names");
      return std::nullopt;
    }
    return std::string(rest.substr(0, end));
  }

  // How many entries of `entry` bytes a section has; nullopt (and a problem) when it is malformed.
  std::optional<std::uint64_t> entries(const ElfSection& section, std::uint64_t entry) {
    const std::uint64_t count = section.size / entry;
    if (section.size % entry != 0 || count > kMostEntries) {
      stop(fmt::format("section {} has a wrong size", quote_input(section.name)));
      return std::nullopt;
    }
    return count;
  }

  bool symbols() {
    tables_.resize(object_.sections.size());
    for (std::size_t s = 0; s < object_.sections.size(); ++s) {
      const ElfSection section = object_.sections[s];
      const bool dynamic = section.type == ElfSection::kDynamicSymbols;
      if (!dynamic && section.type != ElfSection::kSymbolTable) continue;
      const auto count = entries(section, sizeof(Elf64_Sym));
      if (!count) return false;
      if (object_.symbols.size() + *count > kMostEntries) return stop("too many symbols");
      tables_[s] = {object_.symbols.size(), *count};
      for (std::uint64_t i = 0; i < *count; ++i) {
        if (!symbol(section, i, dynamic)) return false;
      }
    }
    return true;
  }

  bool symbol(const ElfSection& table, std::uint64_t index, bool dynamic) {
    const auto raw = at<Elf64_Sym>(table.offset + index * sizeof(Elf64_Sym));
    if (!raw) return stop("symbols beyond the end");
    ElfSymbol symbol;
    const auto text = string_in(table.link, raw->st_name);
    if (!text) return false;
    symbol.name = *text;
    symbol.type = ELF64_ST_TYPE(raw->st_info);
    symbol.binding = ELF64_ST_BIND(raw->st_info);
    symbol.other = raw->st_other;
    symbol.section = raw->st_shndx;
    symbol.value = raw->st_value;
    symbol.size = raw->st_size;
    symbol.dynamic = dynamic;
    if (symbol.section < SHN_LORESERVE && symbol.section >= object_.sections.size()) {
      return stop("a symbol in a section that is not there");
    }
    object_.symbols.push_back(std::move(symbol));
    return true;
  }

  bool relocations() {
    for (std::size_t s = 0; s < object_.sections.size(); ++s) {
      const ElfSection section = object_.sections[s];
      const bool addend = section.type == ElfSection::kRelocationsAddend;
      if (!addend && section.type != ElfSection::kRelocations) continue;
      const std::uint64_t entry = addend ? sizeof(Elf64_Rela) : sizeof(Elf64_Rel);
      const auto count = entries(section, entry);
      if (!count) return false;
      if (object_.relocations.size() + *count > kMostEntries) return stop("too many relocations");
      for (std::uint64_t i = 0; i < *count; ++i) {
        if (!relocation(section, section.offset + i * entry, addend)) return false;
      }
    }
    return true;
  }

  bool relocation(const ElfSection& section, std::uint64_t offset, bool addend) {
    Elf64_Rela raw{};
    if (addend) {
      const auto read = at<Elf64_Rela>(offset);
      if (!read) return stop("relocations beyond the end");
      raw = *read;
    } else {
      const auto read = at<Elf64_Rel>(offset);
      if (!read) return stop("relocations beyond the end");
      raw.r_offset = read->r_offset;
      raw.r_info = read->r_info;
    }
    ElfRelocation out;
    out.type = static_cast<std::uint32_t>(ELF64_R_TYPE(raw.r_info));
    out.offset = raw.r_offset;
    out.addend = raw.r_addend;
    if (const std::uint64_t index = ELF64_R_SYM(raw.r_info); index != 0) {
      if (section.link >= tables_.size() || index >= tables_[section.link].count) {
        return stop("a relocation against a symbol that is not there");
      }
      out.symbol = object_.symbols[tables_[section.link].first + index].name;
      names_together_ += out.symbol.size();
      if (names_together_ > kMostNamesTogether) return stop("too many names");
    }
    object_.relocations.push_back(std::move(out));
    return true;
  }

  // The loader reads the segment, whatever the sections say; so it is the segment that counts.
  bool dynamic() {
    if (!dynamic_segment_) return true;
    const Elf64_Phdr& segment = *dynamic_segment_;
    if (!inside(segment.p_offset, segment.p_filesz)) return stop("a segment beyond the end");
    const std::uint64_t count = segment.p_filesz / sizeof(Elf64_Dyn);
    if (count > kMostEntries) return stop("too many dynamic entries");
    std::vector<std::uint64_t> names;
    std::uint64_t strings = 0;
    std::uint64_t strings_size = 0;
    bool ended = false;
    std::set<std::int64_t> seen;
    for (std::uint64_t i = 0; i < count; ++i) {
      const auto entry = at<Elf64_Dyn>(segment.p_offset + i * sizeof(Elf64_Dyn));
      if (!entry) return stop("dynamic entries beyond the end");
      const std::uint64_t value = entry->d_un.d_val;
      if (ended || !is_ordinary(entry->d_tag)) object_.strange_dynamic |= entry->d_tag != DT_NULL;
      ended |= entry->d_tag == DT_NULL;
      if (ended) continue;
      if (entry->d_tag != DT_NEEDED && !seen.insert(entry->d_tag).second) {
        object_.strange_dynamic = true;
      }
      if (entry->d_tag == DT_NEEDED) names.push_back(value);
      if (entry->d_tag == DT_STRTAB) strings = value;
      if (entry->d_tag == DT_STRSZ) strings_size = value;
      if (entry->d_tag == DT_INIT) object_.runs_at_load = true;
      if (entry->d_tag == DT_FINI) object_.runs_at_unload = true;
      const bool array = entry->d_tag == DT_INIT_ARRAYSZ || entry->d_tag == DT_PREINIT_ARRAYSZ;
      if (array && value != 0) object_.runs_at_load = true;
      if (entry->d_tag == DT_FINI_ARRAYSZ && value != 0) object_.runs_at_unload = true;
    }
    if (names.empty()) return true;
    const auto offset = file_offset(strings);
    if (!offset) return stop("dynamic names outside of every segment");
    for (const std::uint64_t name : names) {
      const auto text = string_at(*offset, strings_size, name);
      if (!text) return false;
      object_.needed.push_back(*text);
    }
    return true;
  }

  // What GNU ld, gold and lld write for a shared object without special wishes.
  static bool is_ordinary(std::int64_t tag) {
    constexpr std::int64_t kTags[] = {DT_NULL,
                                      DT_NEEDED,
                                      DT_PLTRELSZ,
                                      DT_PLTGOT,
                                      DT_HASH,
                                      DT_STRTAB,
                                      DT_SYMTAB,
                                      DT_RELA,
                                      DT_RELASZ,
                                      DT_RELAENT,
                                      DT_STRSZ,
                                      DT_SYMENT,
                                      DT_INIT,
                                      DT_FINI,
                                      DT_SONAME,
                                      DT_PLTREL,
                                      DT_JMPREL,
                                      DT_BIND_NOW,
                                      DT_INIT_ARRAY,
                                      DT_FINI_ARRAY,
                                      DT_FLAGS,
                                      DT_FLAGS_1,
                                      DT_INIT_ARRAYSZ,
                                      DT_FINI_ARRAYSZ,
                                      DT_GNU_HASH,
                                      DT_PREINIT_ARRAY,
                                      DT_PREINIT_ARRAYSZ,
                                      DT_VERNEED,
                                      DT_VERNEEDNUM,
                                      DT_VERSYM,
                                      DT_RELACOUNT,
                                      35 /* DT_RELRSZ */,
                                      36 /* DT_RELR */,
                                      37 /* DT_RELRENT */};
    return std::find(std::begin(kTags), std::end(kTags), tag) != std::end(kTags);
  }

  std::optional<std::uint64_t> file_offset(std::uint64_t address) const {
    for (std::uint64_t i = 0; i < head_.e_phnum; ++i) {
      const auto raw = at<Elf64_Phdr>(head_.e_phoff + i * sizeof(Elf64_Phdr));
      if (!raw || raw->p_type != PT_LOAD) continue;
      if (address >= raw->p_vaddr && address - raw->p_vaddr < raw->p_filesz) {
        const std::uint64_t within = address - raw->p_vaddr;
        if (within > UINT64_MAX - raw->p_offset) return std::nullopt;
        return raw->p_offset + within;
      }
    }
    return std::nullopt;
  }

  void arrays() {
    for (const ElfSection& section : object_.sections) {
      if (section.size == 0) continue;
      object_.runs_at_load |= section.type == ElfSection::kInitArray ||
                              section.type == ElfSection::kPreinitArray || section.name == ".ctors";
      object_.runs_at_unload |= section.type == ElfSection::kFiniArray || section.name == ".dtors";
    }
  }

  struct Table {
    std::size_t first = 0;
    std::uint64_t count = 0;
  };

  std::string_view bytes_;
  std::string name_;
  std::string problem_;
  Elf64_Ehdr head_{};
  std::optional<Elf64_Phdr> dynamic_segment_;
  std::vector<Table> tables_;  // by section: where its symbols are
  std::size_t names_together_ = 0;
  ElfObject object_;
};

}  // namespace

const ElfSection* ElfObject::find_section(std::string_view name) const {
  const auto found = std::find_if(sections.begin(), sections.end(),
                                  [&](const ElfSection& one) { return one.name == name; });
  return found == sections.end() ? nullptr : &*found;
}

std::vector<std::string> ElfObject::imports() const {
  const bool linked = file_type == ET_DYN;
  std::set<std::string> names;
  for (const ElfSymbol& symbol : symbols) {
    if (!symbol.undefined() || symbol.name.empty()) continue;
    if (linked && !symbol.dynamic) continue;
    names.insert(symbol.name);
  }
  return {names.begin(), names.end()};
}

bool ElfObject::defines_function(std::string_view name) const {
  const bool linked = file_type == ET_DYN;
  return std::any_of(symbols.begin(), symbols.end(), [&](const ElfSymbol& symbol) {
    return symbol.name == name && !symbol.undefined() && symbol.type == ElfSymbol::kFunction &&
           symbol.binding != ElfSymbol::kLocal && symbol.dynamic == linked;
  });
}

Expected<ElfObject> read_elf(std::string_view bytes, const std::string& name) {
  return ElfReader(bytes, name).read();
}

}  // namespace tensorpath
