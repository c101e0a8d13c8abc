// The operator for PyTorch: its schema, the C++ that binds tensors to the kernel's arguments, and
// the Python around it. Hugging Face's kernel-builder takes the same sources in another layout.
#include "export_parts.h"
#include "export_shapes.h"
#include "export_tensors.h"

#include <algorithm>

#include <fmt/format.h>

namespace tensorpath::forge {
namespace {

using Files = std::vector<ExportFile>;

std::string quoted_list(const std::vector<std::string>& items) {
  std::string out;
  for (const std::string& item : items)
    out += fmt::format("{}\"{}\"", out.empty() ? "" : ", ", item);
  return out;
}

Status add(Files& files, const ExportSubject& subject, const std::string& from,
           const std::string& to, const Replacements& names) {
  auto text = from_template(subject, from, names);
  if (!text) return tl::unexpected(text.error());
  files.push_back({to, std::move(*text)});
  return {};
}

// Sources that both layouts have, below `folder`.
Status add_sources(Files& files, const ExportSubject& subject, const std::string& folder,
                   const std::string& header_name, Replacements& names) {
  const bool host = subject.task.device == DeviceKind::kHost;
  auto header = kernel_header_text(subject);
  if (!header) return tl::unexpected(header.error());
  const auto run =
      from_template(subject, host ? "torch/run_host.h.in" : "torch/run_cuda.h.in", names);
  if (!run) return tl::unexpected(run.error());
  names["RUN"] = *run;
  files.push_back({folder + subject.entry.id + ".h", std::move(*header)});
  if (Status added = add(files, subject, "torch/op.cpp.in", folder + "op.cpp", names); !added) {
    return added;
  }
  if (Status added = add(files, subject, "torch/op.h.in", header_name, names); !added) return added;
  if (host) return {};
  auto launcher = launcher_files(subject, "cpp");
  if (!launcher) return tl::unexpected(launcher.error());
  for (ExportFile& file : *launcher)
    files.push_back({folder + file.path, std::move(file.contents)});
  return {};
}

Replacements torch_names(const ExportSubject& subject) {
  const bool host = subject.task.device == DeviceKind::kHost;
  Replacements names = common_names(subject);
  for (auto& [name, text] : tensor_names(subject)) names[name] = text;
  if (!host) {
    for (auto& [name, text] : launcher_names(subject)) names[name] = text;
  }
  const int version =
      registry::version_of(subject.entry.id, registry::kernel_name(subject.entry)).value_or(1);
  names["VERSION"] = fmt::to_string(version);
  names["INCLUDES"] =
      host ? ""
           : fmt::format(
                 "#include <c10/cuda/CUDAGuard.h>\n#include <c10/cuda/CUDAStream.h>\n\n"
                 "#include <map>\n#include <mutex>\n#include \"launch.h\"\n\n"
                 "extern const unsigned char {}_cubin[];\n",
                 subject.identifier());
  names["DISPATCH_KEY"] = host ? "CPU" : "CUDA";
  names["TORCH_DEVICE"] = host ? "c10::DeviceType::CPU" : "c10::DeviceType::CUDA";
  names["BACKEND"] = names["DEVICE"] = host ? "cpu" : "cuda";
  names["EXTENSION"] = host ? "CppExtension" : "CUDAExtension";
  names["LIBRARIES"] = host ? "" : "\n            libraries=[\"cuda\"],";
  names["SOURCES"] =
      quoted_list(host ? std::vector<std::string>{"csrc/op.cpp", "csrc/registration.cpp"}
                       : std::vector<std::string>{"csrc/op.cpp", "csrc/registration.cpp",
                                                  "csrc/launch.cpp", "csrc/cubin.cpp"});
  names["RUNS_HERE"] =
      host ? "torch.backends.cpu.get_cpu_capability().startswith(\"AVX\")" : "True";
  std::string plain;
  for (const std::string& line : about_lines(subject)) plain += line + "\n";
  names["ABOUT_PLAIN"] = plain;
  names["NOTES"] =
      host
          ? ""
          : "\nThe kernel is the cubin that was proved, launched through the driver. Elsewhere "
            "the\n"
            "tensors are copied to the host, computed by the naive baseline and copied back, with\n"
            "one warning: right, and slow.\n";
  return names;
}

}  // namespace

Expected<Files> export_torch(const ExportSubject& subject) {
  Replacements names = torch_names(subject);
  const std::string package = subject.identifier();
  names["MODULE"] = package;
  names["IMPORT_OPS"] =
      fmt::format("from . import _C  # registers the operators\n\n_ops = torch.ops.{}", package);
  names["FAKE_NAME"] = fmt::format("\"{}::{}\"", package, subject.op.name);
  names["FAKE_FALLBACK_NAME"] = fmt::format("\"{}::{}_fallback\"", package, subject.op.name);
  names["TEST_FILE"] = fmt::format("tests/test_{}.py", subject.op.name);
  Files files;
  if (Status added = add_sources(files, subject, "csrc/", "csrc/op.h", names); !added) {
    return tl::unexpected(added.error());
  }
  for (const auto& [from, to] :
       {std::pair<std::string, std::string>{"torch/registration.cpp.in", "csrc/registration.cpp"},
        {"torch/init.py.in", package + "/__init__.py"},
        {"torch/setup.py.in", "setup.py"},
        {"torch/pyproject.toml.in", "pyproject.toml"},
        {"torch/README.md.in", "README.md"},
        {"torch/test.py.in", names["TEST_FILE"]}}) {
    if (Status added = add(files, subject, from, to, names); !added) {
      return tl::unexpected(added.error());
    }
  }
  if (subject.task.device == DeviceKind::kCuda) {
    files.push_back({"csrc/kernel.cu", subject.source()});
  }
  return files;
}

Expected<Files> export_hf(const ExportSubject& subject) {
  Replacements names = torch_names(subject);
  const bool host = subject.task.device == DeviceKind::kHost;
  const std::string module = subject.identifier();
  const std::string folder = fmt::format("{}_{}/", subject.op.name, names["BACKEND"]);
  // The Hub's names have dashes where Python's have underscores.
  names["HF_NAME"] = module;
  std::replace(names["HF_NAME"].begin(), names["HF_NAME"].end(), '_', '-');
  names["HF_KERNEL"] = module;
  names["KERNEL_FOLDER"] = folder.substr(0, folder.size() - 1) + "\", \"torch-ext";
  names["MODULE"] = module;
  names["TEST_FILE"] = fmt::format("tests/test_{}.py", subject.op.name);
  names["IMPORT_OPS"] = "from ._ops import add_op_namespace_prefix\nfrom ._ops import ops as _ops";
  names["FAKE_NAME"] = fmt::format("add_op_namespace_prefix(\"{}\")", subject.op.name);
  names["FAKE_FALLBACK_NAME"] =
      fmt::format("add_op_namespace_prefix(\"{}_fallback\")", subject.op.name);
  std::vector<std::string> sources = {folder + "op.cpp", folder + subject.entry.id + ".h"};
  if (!host) {
    for (const char* name : {"launch.cpp", "launch.h", "cubin.cpp"})
      sources.push_back(folder + name);
  }
  names["HF_SOURCES"] = quoted_list(sources);
  Files files;
  if (Status added = add_sources(files, subject, folder, "torch-ext/torch_binding.h", names);
      !added) {
    return tl::unexpected(added.error());
  }
  // There is one header of the operator, and it is the binding's.
  for (ExportFile& file : files) {
    const std::size_t at =
        file.path == folder + "op.cpp" ? file.contents.find("\"op.h\"") : std::string::npos;
    if (at != std::string::npos) file.contents.replace(at, 6, "\"torch_binding.h\"");
  }
  for (const auto& [from, to] :
       {std::pair<std::string, std::string>{"hf/build.toml.in", "build.toml"},
        {"hf/flake.nix.in", "flake.nix"},
        {"hf/torch_binding.cpp.in", "torch-ext/torch_binding.cpp"},
        {"torch/init.py.in", "torch-ext/" + module + "/__init__.py"},
        {"hf/README.md.in", "README.md"},
        {"torch/test.py.in", names["TEST_FILE"]}}) {
    if (Status added = add(files, subject, from, to, names); !added) {
      return tl::unexpected(added.error());
    }
  }
  return files;
}

}  // namespace tensorpath::forge
