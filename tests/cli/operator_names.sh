#!/usr/bin/env bash
# Adding an operator takes its two files: no source of the tool knows one by name, and the build
# finds what lies in kernels/ by itself.
source "$(dirname "$0")/lib/check.bash"
cd "$TENSORPATH_SOURCE_DIR" || exit 1

# --- no source names an operator -------------------------------------------------------------------

cat >"$scratch/names.py" <<'PYTHON'
"""names.py ROOT: where sources below ROOT name an operator of kernels/ops, comments aside."""
import pathlib, re, sys

root = pathlib.Path(sys.argv[1])
operators = sorted(p.stem for p in pathlib.Path("kernels/ops").glob("*.yaml"))
# These are words of the language or of mathematics too: there only a string is a name.
words = {"abs", "embedding", "exp", "log", "sampling", "softmax", "sqrt", "tanh", "transpose"}
# Other things of the same name, and why they are.
excused = {
    ("lib/src/ops/read_operator.cpp", "matmul"): "a family of operators",
    ("lib/src/ops/read_operator.cpp", "sampling"): "a kind of operator",
    ("lib/src/harness/gpu_ceilings.cpp", "matmul"): "likewise",
    ("lib/src/harness/host.cpp", "exp"): "a function of libm that kernels may import",
    ("lib/src/harness/host.cpp", "log"): "likewise",
    ("lib/src/harness/host.cpp", "sqrt"): "likewise",
    ("lib/src/harness/host.cpp", "tanh"): "likewise",
    ("lib/src/workload/workload.cpp", "embedding"): "a type of workload",
    ("lib/src/workload/presets.cpp", "embedding"): "likewise",
    ("lib/src/predict/step_time.h", "decode_attention"): "a part of a serving step's time",
    ("lib/src/predict/step_time.h", "prefill_attention"): "likewise",
    ("lib/src/predict/breakdown.cpp", "decode_attention"): "likewise",
    ("lib/src/predict/breakdown.cpp", "prefill_attention"): "likewise",
    ("lib/src/predict/steady.cpp", "decode_attention"): "likewise",
    ("apps/tensorpath/forge.cpp", "rmsnorm"): "an example in a hint",
    ("apps/tensorpath/kernel_query.cpp", "rmsnorm"): "likewise",
    ("apps/tensorpath/list_kernels.cpp", "rmsnorm"): "likewise",
    ("scripts/demo", "dequant_int4"): "the example that it shows",
    ("scripts/torch-worker/__main__.py", "matmul"): "PyTorch's switches for precision",
    ("lib/src/harness/ceilings.cpp", "abs"): "x in, y out: what kernels/ceilings is written against",
}

def is_code(path):
    return path.suffix in {".cpp", ".h", ".cmake", ".py", ".sh", ".in"} or path.parent.name == "scripts"

def without_comment(line, path):
    mark = r"//.*" if path.suffix in {".cpp", ".h"} else r"(^|\s)#(?!include).*"
    return re.sub(mark, "", line)

used = set()
for top in ("lib", "apps", "cmake", "scripts"):
    for path in sorted((root / top).rglob("*")):
        if not path.is_file() or not is_code(path):
            continue
        name = path.relative_to(root).as_posix()
        for number, line in enumerate(path.read_text().splitlines(), 1):
            line = without_comment(line, path)
            for op in operators:
                pattern = rf'"{op}"' if op in words else rf"\b{op}\b"
                if not re.search(pattern, line):
                    continue
                if (name, op) in excused:
                    used.add((name, op))
                else:
                    print(f"{name}:{number}: names the operator {op}: {line.strip()}")
if len(operators) < 30:
    print("kernels/ops: too few operators to be all")
for name, op in sorted(set(excused) - used):
    print(f"{name} no longer says {op}: take it off the list")
PYTHON
command_line="names.py ."
python3 "$scratch/names.py" . >"$scratch/stdout" 2>"$scratch/stderr" || fail "expected the scan to run"
[ -s "$scratch/stdout" ] && fail "expected no source to name an operator"

# The scan sees what it is there for.
mkdir -p "$scratch/planted"
cp -r lib apps cmake scripts "$scratch/planted"
echo 'bool special(std::string_view op) { return op == "softmax"; }' >>"$scratch/planted/lib/src/ops/tensor.cpp"
echo 'extern const Entry tensorpath_x; // rmsnorm' >>"$scratch/planted/lib/src/ops/dtype.cpp"
echo 'if(op STREQUAL layernorm)' >>"$scratch/planted/cmake/References.cmake"
command_line="names.py on a tree with two names in it"
python3 "$scratch/names.py" "$scratch/planted" >"$scratch/stdout" 2>"$scratch/stderr"
grep -q '^lib/src/ops/tensor.cpp:.*names the operator softmax' "$scratch/stdout" || fail "expected the string to be found"
grep -q '^cmake/References.cmake:.*names the operator layernorm' "$scratch/stdout" || fail "expected the word to be found"
[ "$(wc -l <"$scratch/stdout")" -eq 2 ] || fail "expected two names and no comment"

# --- two files are an operator ---------------------------------------------------------------------

# The build's own References.cmake in a copy of kernels/ with one operator in it, linked to the
# library for the rest: all operators would take minutes.
library=$TENSORPATH_BUILD_DIR/lib/libtensorpath.so
if [ ! -e "$library" ] || grep -q '^TENSORPATH_SANITIZE:BOOL=ON' "$TENSORPATH_BUILD_DIR/CMakeCache.txt"; then
  echo "not tried without a plain shared library: adding an operator to the build"
  finish
fi
tree=$scratch/tree
mkdir -p "$tree/kernels/ops" "$tree/kernels/reference" "$tree/lib/src/ops" "$tree/cmake"
cp -r lib/include "$tree/lib"
cp lib/src/ops/references.cpp "$tree/lib/src/ops"
cp cmake/References.cmake "$tree/cmake"
cp kernels/ops/relu.yaml "$tree/kernels/ops"
cp kernels/reference/relu.cpp "$tree/kernels/reference"
cat >"$tree/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.25)
project(list_operators LANGUAGES CXX)
set(CMAKE_CXX_STANDARD 20)
include(cmake/References.cmake)
add_executable(list_operators main.cpp lib/src/ops/references.cpp ${reference_sources})
target_include_directories(list_operators PRIVATE lib/include)
target_link_libraries(list_operators PRIVATE ${LIBRARY})
CMAKE
cat >"$tree/main.cpp" <<'CPP'
#include <cstdio>
#include <tensorpath/ops/operator.h>
int main(int, char** argv) {
  const auto operators = tensorpath::Operators::load({argv[1]});
  if (!operators) return std::puts(operators.error().to_string().c_str()), 1;
  for (const auto& op : operators->all()) std::printf("%s %zu\n", op.name.c_str(), op.digest.size());
}
CPP
build() { # sets stdout to the list of operators
  command_line="cmake --build of a tree with $(echo "$tree"/kernels/ops/*)"
  cmake --build "$tree/build" >"$scratch/stderr" 2>&1 || fail "expected it to build"
  stdout=$("$tree/build/list_operators" "$tree/kernels/ops")
}
command_line="cmake -S $tree"
cmake -S "$tree" -B "$tree/build" -DLIBRARY="$library" -DCMAKE_BUILD_RPATH="${library%/*}" \
  >"$scratch/stdout" 2>"$scratch/stderr" || fail "expected it to configure"
build
[ "$stdout" = "relu 64" ] || fail "expected one operator, not: $stdout"
cp tests/data/operators/l2_normalize.yaml "$tree/kernels/ops"
build
[[ $stdout == *"the operator 'l2_normalize' has no reference"* ]] || fail "expected the missing half to be named, not: $stdout"
cp tests/data/operators/l2_normalize.cpp "$tree/kernels/reference"
build
[ "$stdout" = $'l2_normalize 64\nrelu 64' ] || fail "expected both operators, not: $stdout"

finish
