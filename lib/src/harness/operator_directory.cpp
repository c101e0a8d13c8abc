#include "base/building_directory.h"
#include "compile.h"
#include "operator_cache.h"
#include "operator_proof.h"
#include "reference_object.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <filesystem>
#include <set>

#include <fmt/format.h>
#include <sys/stat.h>

#include <tensorpath/base/file.h>
#include <tensorpath/base/yaml.h>
#include <tensorpath/harness/operator_directory.h>
#include <tensorpath/harness/toolchain.h>
#include <tensorpath/version.h>

namespace tensorpath {
namespace {

constexpr std::size_t kMostText = 1U << 20;
constexpr std::size_t kMostObject = 63U << 20;

// An operator whose files are read, and whose reference is not there yet.
struct Source {
  OperatorSpec spec;
  std::string path;  // of the reference
  std::string text;
};

const std::vector<std::string>& flags() {
  // As built-in references are compiled. What they define inline stays their own, so that an equal
  // name in this process is never taken for it.
  static const std::vector<std::string> kFlags = {"-std=c++20",          "-O3",
                                                  "-ffp-contract=off",   "-fPIC",
                                                  "-fvisibility=hidden", "-shared",
                                                  "-Wl,-Bsymbolic",      "-Wl,-z,now",
                                                  "-Wl,-z,relro",        "-Wl,-z,noexecstack",
                                                  "-Wl,--build-id=none"};
  return kFlags;
}

// A compiler is told apart by its file: asking it would cost more than all the rest of a run that
// finds everything in the cache.
std::string identity_of(const std::string& compiler) {
  std::error_code ignored;
  std::string path = std::filesystem::canonical(compiler, ignored).string();
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return path;
  return fmt::format("{} {} {}.{}", path, status.st_size, status.st_mtim.tv_sec,
                     status.st_mtim.tv_nsec);
}

// Everything that the object and its having passed the check depend on.
std::string key_of(const Source& source, const std::string& compiler) {
  std::string text;
  const std::string& headers = reference_headers_digest();
  const std::string tool(kVersion);
  const std::string all_flags = fmt::format("{}", fmt::join(flags(), " "));
  for (const std::string& part : {std::string("operator object 1"), tool, source.spec.definition,
                                  source.text, headers, identity_of(compiler), all_flags}) {
    text += sha256_hex(part);
  }
  return sha256_hex(text);
}

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= 40 && name.front() >= 'a' && name.front() <= 'z' &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string_view::npos;
}

// Both files of one operator.
Expected<Source> read_source(const std::string& directory, const std::string& name) {
  const std::string yaml_path = path_join(directory, name + ".yaml");
  const auto yaml = read_file(yaml_path, kMostText);
  if (!yaml) return tl::unexpected(yaml.error());
  if (!is_name(name)) {
    return fail_at({yaml_path, 0, 0},
                   fmt::format("{} is no name of an operator", quote_input(name)),
                   "1 to 40 lower-case letters, digits and underscores, a letter first");
  }
  auto spec = parse_operator(*yaml, yaml_path);
  if (!spec) return tl::unexpected(spec.error());
  if (spec->name != name) {
    return fail_at({yaml_path, 0, 0}, fmt::format("its name is {}, that of its file is {}",
                                                  quote_input(spec->name), name));
  }
  const std::string path = path_join(directory, name + ".cpp");
  if (!file_exists(path)) {
    return fail_at({yaml_path, 0, 0},
                   fmt::format("its reference {} is not there", quote_input(path)),
                   "an operator is two files beside each other, NAME.yaml and NAME.cpp");
  }
  auto text = read_file(path, kMostText);
  if (!text) return tl::unexpected(text.error());
  return Source{std::move(*spec), path, std::move(*text)};
}

// "name.cpp:12:5: error: what" of the compiler's words.
Error compile_error(const Source& source, const std::string& words) {
  Diagnostic found{{source.path, 0, 0},
                   "it does not compile:\n" + words,
                   "it may include <tensorpath/ops/reference.h>, what else that directory has for "
                   "references, and the standard library"};
  const std::string file = source.spec.name + ".cpp:";
  for (std::size_t at = words.find(file); at != std::string::npos; at = words.find(file, at + 1)) {
    const std::string_view rest = std::string_view(words).substr(at + file.size());
    const std::string_view line = rest.substr(0, rest.find('\n'));
    if (line.find("error: ") == std::string_view::npos) continue;
    const char* end = line.data() + line.size();
    const auto row = std::from_chars(line.data(), end, found.where.line);
    if (row.ec == std::errc() && row.ptr != end) {
      (void)std::from_chars(row.ptr + 1, end, found.where.column);
    }
    break;
  }
  return {ExitCode::kUsage, {std::move(found)}};
}

Status write_sources(BuildingDirectory& place, const Source& source) {
  if (Status written = place.write("source/" + source.spec.name + ".cpp", source.text, false);
      !written) {
    return written;
  }
  for (const ReferenceHeader& header : reference_headers()) {
    if (Status written =
            place.write("source/include/" + std::string(header.path), header.text, false);
        !written) {
      return written;
    }
  }
  return place.make_directory("build");
}

// The object's bytes.
Expected<std::string> compile(BuildingDirectory& place, const Source& source,
                              const std::string& compiler,
                              const OperatorDirectoryOptions& options) {
  if (const Status written = write_sources(place, source); !written) {
    return tl::unexpected(written.error());
  }
  CompileJob job;
  // The sandbox has no working directory of ours to start from.
  std::error_code ignored;
  const std::string root = std::filesystem::absolute(place.path(), ignored).string();
  job.in = path_join(root, "source");
  job.out = path_join(root, "build");
  job.sandbox = options.sandbox;
  job.limits = compile_limits(options.compile_s, options.compile_memory_bytes);
  const std::string object = path_join(job.out, "reference.so");
  job.command = {compiler};
  job.command.insert(job.command.end(), flags().begin(), flags().end());
  job.command.insert(job.command.end(), {"-I", path_join(job.in, "include"), "-o", object,
                                         path_join(job.in, source.spec.name + ".cpp"), "-lm"});
  const auto compiled = compile_in_sandbox(job);
  if (!compiled) return tl::unexpected(compiled.error());
  if (compiled->refusal.failure == Failure::kCompileError) {
    return tl::unexpected(compile_error(source, compiled->refusal.detail));
  }
  if (compiled->refusal.failure != Failure::kNone) {
    return tl::unexpected(
        Error{ExitCode::kLimit, {{{source.path, 0, 0}, compiled->refusal.detail, ""}}});
  }
  return read_file(object, kMostObject);
}

// Compiles, checks, and only then keeps: what is in the cache has passed.
Expected<std::string> build(const Source& source, const std::string& compiler,
                            const OperatorCache& cache, const std::string& key,
                            const OperatorDirectoryOptions& options) {
  if (options.on_build) options.on_build(source.spec.name);
  remove_abandoned_buildings(cache.path());
  auto place = BuildingDirectory::make(cache.path(), source.spec.name);
  if (!place) return tl::unexpected(place.error());
  const auto object = compile(*place, source, compiler, options);
  if (!object) return tl::unexpected(object.error());
  // A copy: the sandbox's user has no rights to it.
  if (const Status written = place->write("reference.so", *object, true); !written) {
    return tl::unexpected(written.error());
  }
  const std::string copy = path_join(place->path(), "reference.so");
  if (const Status held = prove_apart(source.spec, copy, options.proof_s); !held) {
    return tl::unexpected(held.error());
  }
  return cache.store(source.spec.name, key, *object);
}

Expected<OperatorSpec> finish(Source source, const OperatorCache& cache,
                              const OperatorDirectoryOptions& options) {
  const auto compiler = require_host_compiler();
  if (!compiler) return tl::unexpected(compiler.error());
  const std::string key = key_of(source, *compiler);
  const std::string& name = source.spec.name;
  const auto kept = cache.find(name, key);
  auto entry = kept ? open_reference(*kept, name) : Expected<const reference::Entry*>(nullptr);
  if (!kept || !entry) {
    const auto built = build(source, *compiler, cache, key, options);
    if (!built) return tl::unexpected(built.error());
    entry = open_reference(*built, name);
    if (!entry) return tl::unexpected(entry.error());
  }
  const Status fits = attach_reference(source.spec, *entry, sha256_hex(source.text));
  if (!fits) return tl::unexpected(fits.error());
  return std::move(source.spec);
}

// Of all directories; every mistake in their files at once, before any compiler is started.
Expected<std::vector<Source>> read_sources(const std::vector<std::string>& directories) {
  std::vector<Source> sources;
  std::set<std::string> names;
  Error problems;
  for (const std::string& directory : directories) {
    if (!directory_exists(directory)) {
      return fail(ExitCode::kUsage, fmt::format("there is no directory {}", quote_input(directory)),
                  "--ops takes a directory with the files of operators, NAME.yaml and NAME.cpp");
    }
    const std::vector<std::string> files = list_files(directory, ".yaml");
    if (files.empty()) {
      return fail(ExitCode::kUsage,
                  fmt::format("there is no operator in {}", quote_input(directory)),
                  "an operator is two files beside each other, NAME.yaml and NAME.cpp");
    }
    for (const std::string& file : files) {
      const std::string name = file.substr(0, file.size() - 5);
      if (!names.insert(name).second) continue;
      auto source = read_source(directory, name);
      if (source) {
        sources.push_back(std::move(*source));
        continue;
      }
      problems.exit_code = source.error().exit_code;
      problems.diagnostics.insert(problems.diagnostics.end(), source.error().diagnostics.begin(),
                                  source.error().diagnostics.end());
    }
  }
  if (!problems.diagnostics.empty()) return tl::unexpected(problems);
  return sources;
}

}  // namespace

Status add_operators(Operators& operators, const std::vector<std::string>& directories,
                     const OperatorDirectoryOptions& options) {
  if (directories.empty()) return {};
  auto sources = read_sources(directories);
  if (!sources) return tl::unexpected(sources.error());
  const auto cache =
      OperatorCache::open(options.cache.empty() ? operator_cache_path() : options.cache);
  if (!cache) return tl::unexpected(cache.error());
  for (Source& source : *sources) {
    auto spec = finish(std::move(source), *cache, options);
    if (!spec) return tl::unexpected(spec.error());
    operators.add(std::move(*spec));
  }
  return {};
}

}  // namespace tensorpath
