#!/usr/bin/env bash
# forge export makes drop-ins of promoted kernels: the C++ header is compiled and run, the extension
# of PyTorch is built and run where there is PyTorch; what cannot be exported is said.
source "$(dirname "$0")/lib/check.bash"
source_tree=$(cd "$(dirname "$0")/../.." && pwd)
cd "$scratch" || exit 1
unset TENSORPATH_REGISTRY
root=$scratch/kernels

# An entry as a promotion of now would write it. KEY=VALUE in Python changes it.
entry() { # OPERATOR CANDIDATE CHANGES...
  local operator=$1 candidate=$2
  shift 2
  run forge create -q --op "$operator" --dtype fp32 --runs "$scratch/runs"
  python3 - "$scratch/runs/$stdout/task.yaml" "$root" "$operator" "$candidate" "$@" <<'PY'
import hashlib, json, os, re, sys
task, root, op, candidate = sys.argv[1:5]
text = open(task).read()
shape, section = {}, ""
attributes = {}
for line in text.splitlines():
    if not line.startswith(" "):
        section = line.split(":")[0]
    elif section in ("shape", "attributes"):
        name, value = line.strip().split(": ")
        (shape if section == "shape" else attributes)[name] = float(value)
digest = re.search("[0-9a-f]{64}", text).group(0)
names = [n for n in sorted(os.listdir(candidate)) if n in ("kernel.cpp", "kernel.cu", "plan.yaml")]
files = {n: open(os.path.join(candidate, n)).read() for n in names}
lines = "".join(f"{n}\n{hashlib.sha256(t.encode()).hexdigest()}\n" for n, t in files.items())
e = {"schema": "tensorpath.kernel/v1", "op": op, "op_digest": digest, "language": "cpp",
     "gpu": "host", "architecture": "x86-64", "dtype": "fp32", "attributes": attributes,
     "domain": {"dims": {d: [int(v), int(v)] for d, v in shape.items()}, "layouts": ["contiguous"]},
     "tuned_shape": {d: int(v) for d, v in shape.items()}, "objective": "latency",
     "falls_back_to": "the operator's naive baseline", "evidence_level": "op",
     "toolchain": {"compiler": "g++ 12", "flags": "-O3", "driver": "", "device": "a processor"},
     "candidate_digest": hashlib.sha256(lines.encode()).hexdigest(), "packet": "packet/packet.json",
     "packet_sha256": "b" * 64, "run_id": "20261129-120000-000-00abcde", "attempt": 3,
     "promoted_at": "2026-11-29T15:33:16.123456Z"}
for change in sys.argv[5:]:
    exec(change)
measured = {"baseline": "tuned", "ratio": 1.2, "lower": 1.1, "upper": 1.3}
e["performance"] = {"timing": "cold", "sol_score": None, **measured,
                    "cases": [{"shape": e["tuned_shape"], "weight": 1, "baseline_us": 12,
                               "kernel_us": 10, **measured}]}
size = "x".join(str(e["tuned_shape"][d]) for d in e["domain"]["dims"])
e["id"] = f'{e["language"]}_{op}_{e["gpu"]}_fp32_{size}_v1'
place = os.path.join(root, op, e["id"])
os.makedirs(place)
with open(os.path.join(place, "entry.json"), "w") as file:
    json.dump(e, file)
for name, contents in files.items():
    with open(os.path.join(place, name), "w") as file:
        file.write(contents)
PY
}
export_as() { run forge export "$1" --as "$2" --registry "$root" "${@:3}"; }

entry rmsnorm "$source_tree/kernels/examples/rmsnorm" 'e["domain"]["dims"]["rows"] = [1, 64]' \
  'e["domain"]["layouts"] = ["contiguous", "strided"]'
norm=cpp_rmsnorm_host_fp32_16x4096_v1
entry elementwise_add "$source_tree/kernels/baselines/elementwise_add/tuned" \
  'e["domain"]["layouts"] = ["contiguous", "offset"]'
sum=$(basename "$root"/elementwise_add/*)

# --- a C++ header ---------------------------------------------------------------------------------

for id in "$norm" "$sum"; do
  export_as "$id" cpp-header
  expect_status 0
  expect_stdout "$id-cpp-header"
  [ -f "$id-cpp-header/$id.h" ] || fail "expected the header"
  g++ -std=c++20 -O2 -Wall -Wextra -Werror -pthread "$id-cpp-header/test.cpp" -o "$id" \
    >gcc.txt 2>&1 || fail "the header's test does not compile: $(head -c 800 gcc.txt)"
  "./$id" >run.txt 2>&1 || fail "the header's test fails: $(grep -v '^ok' run.txt | head -n 5)"
  for words in "ok   inside" "ok   outside" "all held" ": kernel," ": fallback,"; do
    grep -q "$words" run.txt || fail "expected of the header's test: $words"
  done
done
for words in "packet/packet.json" "bbbbbbbb" "rows = 1\.\.64" "1.20x" "20261129-120000-000-00abcde"; do
  grep -q "$words" "$norm-cpp-header/$norm.h" || fail "expected in the header's comment: $words"
done
# Two kernels in one program, from two files.
printf '#include "%s-cpp-header/%s.h"\n#include "%s-cpp-header/%s.h"\nint other() { return 0; }\n' \
  "$norm" "$norm" "$sum" "$sum" >one.cpp
{ sed 's/other/main/' one.cpp; } >two.cpp
g++ -std=c++20 -Wall -Wextra -Werror one.cpp two.cpp -o both >gcc.txt 2>&1 ||
  fail "two kernels do not go into one program: $(head -c 800 gcc.txt)"
# A kernel that is wrong is found by the test that comes with it.
sed 's/scaled = v \* scale \* w/scaled = v * scale * w * 1.01F/' "$norm-cpp-header/$norm.h" >wrong.h
mkdir -p wrong && mv wrong.h "wrong/$norm.h" && cp "$norm-cpp-header/test.cpp" wrong/
g++ -std=c++20 -O1 -pthread wrong/test.cpp -o wrong/checked || fail "expected it to compile"
if ./wrong/checked >run.txt; then fail "a kernel that is wrong by a hundredth passed its test"; fi
grep -q "^FAIL inside" run.txt || fail "expected a failure inside of the domain"

# --- what is there stays; what is not there is said -----------------------------------------------

echo mine >"$norm-cpp-header/mine"
export_as "$norm" cpp-header
expect_status 2
expect_stderr "is there already"
[ "$(cat "$norm-cpp-header/mine")" = mine ] || fail "expected the directory to stay as it was"
export_as "$norm" cpp-header -o elsewhere/deep --format json
expect_status 0
expect_stdout '"path": "elsewhere/deep"'
export_as cpp_rmsnorm_host_fp32_16x4069_v1 cpp-header
expect_status 2
expect_stderr "$norm"
export_as "$norm" cubin
expect_status 2
expect_stderr "a kernel of the host"
export_as "$norm" wheel
expect_status 2
echo '// changed' >>"$root/rmsnorm/$norm/kernel.cpp"
export_as "$norm" cpp-header -o changed
expect_status 1
expect_stderr "not the one that was promoted"
[ ! -e changed ] || fail "expected no directory"
sed -i '$d' "$root/rmsnorm/$norm/kernel.cpp"

# --- PyTorch --------------------------------------------------------------------------------------

export_as "$norm" torch-extension -o extension
expect_status 0
export_as "$norm" hf-kernel -o hub
expect_status 0
for file in extension/setup.py extension/pyproject.toml "extension/$norm/__init__.py" extension/csrc/op.cpp \
  extension/tests/test_rmsnorm.py hub/build.toml hub/flake.nix hub/torch-ext/torch_binding.cpp \
  "hub/torch-ext/$norm/__init__.py"; do
  [ -s "$file" ] || fail "expected the file $file"
done
python3 -m py_compile extension/setup.py "extension/$norm/__init__.py" extension/tests/test_rmsnorm.py \
  "hub/torch-ext/$norm/__init__.py" || fail "the Python of an export is none"
python3 -c 'import tomllib; tomllib.load(open("hub/build.toml", "rb"))' ||
  fail "build.toml is no TOML"
if python3 -c 'import torch, setuptools' 2>/dev/null; then
  (cd extension && MAX_JOBS=2 python3 setup.py -q build_ext --inplace >build.txt 2>&1) ||
    fail "the extension does not build: $(tail -n 5 extension/build.txt)"
  (cd extension && PYTHONPATH=. python3 tests/test_rmsnorm.py >run.txt 2>&1) ||
    fail "the extension's test fails: $(tail -n 5 extension/run.txt)"
else
  echo "torch is not here: its extension was not run"
fi

finish
