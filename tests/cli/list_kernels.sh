#!/usr/bin/env bash
# list-kernels lists what the registries hold, says where a kernel applies and which one a call
# takes; recommend tells of kernels and changes no number.
source "$(dirname "$0")/lib/check.bash"
without_shipped_kernels
export COLUMNS=80 XDG_CACHE_HOME=$scratch/cache TENSORPATH_TODAY=2026-08-21
unset TENSORPATH_REGISTRY
cd "$scratch" || exit 1
root=$scratch/kernels

json() { # EXPRESSION: of the document on standard output, as d
  python3 -c "import json, sys; d = json.load(open(sys.argv[1])); print(($1))" "$scratch/stdout" 2>&1
}
expect_json() { # EXPRESSION VALUE
  local value
  value=$(json "$1")
  [ "$value" = "$2" ] || fail "expected $1 to be $2, not $value"
}
expect_fits() {
  while IFS= read -r line; do
    [ "${#line}" -le 80 ] || fail "a line is wider than 80 columns: $line"
  done <<<"$stdout"
}

# Entries of this machine's compiler and processor: the operator's digest and the toolchain are
# those that a promotion of now would write. KEY=VALUE in Python changes an entry.
digest_of() {
  run forge create -q --op "$1" --runs "$scratch/runs"
  grep -oE '[0-9a-f]{64}' "$scratch/runs/$stdout/task.yaml" | head -n 1
}
rmsnorm=$(digest_of rmsnorm)
[ ${#rmsnorm} -eq 64 ] || fail "expected the operator's digest in task.yaml"
compiler=$(/usr/bin/g++ --version | head -n 1)
processor=$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)
entry() { # ROOT VERSION CHANGES...
  python3 - "$rmsnorm" "$compiler" "$processor" "$@" <<'PY'
import json, os, sys
digest, compiler, processor, root, version = sys.argv[1:6]
e = {"schema": "tensorpath.kernel/v1", "op": "rmsnorm", "op_digest": digest, "language": "cpp",
     "gpu": "host", "architecture": "x86-64", "dtype": "fp32", "attributes": {"eps": 1e-06},
     "domain": {"dims": {"rows": [1, 64], "hidden": [4096, 4096]}, "layouts": ["contiguous"]},
     "tuned_shape": {"rows": 16, "hidden": 4096}, "objective": "latency",
     "falls_back_to": "the operator's tuned baseline", "evidence_level": "op",
     "toolchain": {"compiler": compiler, "flags": "-O3", "driver": "", "device": processor},
     "candidate_digest": "a" * 64, "packet": "packet.json", "packet_sha256": "b" * 64,
     "run_id": "20261129-120000-000-00abcde", "attempt": 3,
     "promoted_at": "2026-11-29T15:33:16.123456Z"}
ratio = 1.23
for change in sys.argv[6:]:
    if change.startswith("ratio="):
        ratio = float(change[6:])
    else:
        exec(change)
measured = {"baseline": "tuned", "ratio": ratio, "lower": ratio - 0.05, "upper": ratio + 0.05}
e["performance"] = {"timing": "cold", "sol_score": 0.7, **measured,
                    "cases": [{"shape": e["tuned_shape"], "weight": 1, "baseline_us": 10 * ratio,
                               "kernel_us": 10, **measured}]}
shape = "x".join(str(e["tuned_shape"][d]) for d in e["domain"]["dims"])
e["id"] = f'{e["language"]}_{e["op"]}_{e["gpu"]}_{e["dtype"]}_{shape}_v{version}'
place = os.path.join(root, e["op"], e["id"])
os.makedirs(place)
with open(os.path.join(place, "entry.json"), "w") as file:
    json.dump(e, file)
PY
}
name=cpp_rmsnorm_host_fp32_16x4096

# --- nothing there --------------------------------------------------------------------------------

run list-kernels
expect_status 0
expect_stdout "No kernels."
expect_no_stderr
run list-kernels --format json
expect_json 'd["kernels"]' '[]'
run list-kernels --registry "$root"
expect_status 2
expect_stderr "there is no registry"
run list-kernels --explain "$name"
expect_status 2
expect_stderr "the registry is empty"
run list-kernels --select op=rmsnorm,shape=16x4096
expect_status 1
expect_stdout "No kernel applies: the call falls back."

# --- the list -------------------------------------------------------------------------------------

entry "$root" 1
entry "$root" 2 ratio=1.4
entry "$root" 1 ratio=1.9 'e["tuned_shape"]["rows"] = 32'
entry "$root" 1 'e["dtype"] = "bf16"' 'e["toolchain"]["compiler"] = "g++ 4.0"'
entry "$root" 1 'e["language"] = "cuda"' 'e["gpu"] = "h200_sxm"' 'e["architecture"] = "sm_90"' \
  'e["evidence_level"] = "runtime"' 'e["toolchain"] = {**e["toolchain"], "compiler": "nvcc", "device": ""}' \
  'e["promoted_at"] = "2026-11-30T00:00:00.000000Z"'
run list-kernels --registry "$root"
expect_status 0
expect_no_stderr
expect_fits
expect_stdout "$name""_v2"
expect_stdout "1.40x [1.35, 1.45]"
[ "$(grep -c "^c.*_v" "$scratch/stdout")" -eq 5 ] || fail "expected five kernels"
[ "$(grep -c "^cpp.*stale$" "$scratch/stdout")" -ge 1 ] || fail "expected one to be stale"
first=$stdout
run list-kernels --registry "$root"
[ "$stdout" = "$first" ] || fail "the same input gave another output"
TENSORPATH_REGISTRY=$root run list-kernels
[ "$stdout" = "$first" ] || fail "expected TENSORPATH_REGISTRY to name the registry"
mkdir .tensorpath && ln -s "$root" .tensorpath/kernels
run list-kernels
[ "$stdout" = "$first" ] || fail "expected .tensorpath/kernels to be the registry"
for word in fastest correct; do
  [[ ${stdout,,} == *$word* ]] && fail "expected no claim: $word"
done

ids() { json '" ".join(k["id"] for k in d["kernels"])'; }
expect_ids() { [ "$(ids)" = "$1" ] || fail "expected $1, not $(ids)"; }
cuda=cuda_rmsnorm_h200_sxm_fp32_16x4096_v1
bf16=cpp_rmsnorm_host_bf16_16x4096_v1
rows32=cpp_rmsnorm_host_fp32_32x4096_v1
run list-kernels --format json --gpu h200_sxm
expect_ids "$cuda"
run list-kernels --format json --dtype bf16
expect_ids "$bf16"
run list-kernels --format json --language cpp --dtype fp32 --sort ratio
expect_ids "$rows32 ${name}_v2 ${name}_v1"
run list-kernels --format json --level runtime
expect_ids "$cuda"
run list-kernels --format json --stale --language cpp
expect_ids "$bf16"
expect_json 'd["kernels"][0]["stale"]' "['compiler was g++ 4.0, is $compiler']"
run list-kernels --format json --sort promoted --dtype fp32
expect_ids "$cuda ${name}_v1 ${name}_v2 $rows32"
run list-kernels --op rmsnrom
expect_status 0
expect_stdout "No kernels."
expect_stderr "did you mean 'rmsnorm'?"
run list-kernels --sort age
expect_status 2
expect_stderr "--sort"
run list-kernels --format csv
[ "$(wc -l <"$scratch/stdout")" -eq 6 ] || fail "expected a line a kernel and the titles"
run list-kernels --format markdown
expect_stdout "| $cuda |"
run list-kernels --format yaml
expect_stdout "- schema: tensorpath.kernel/v1"

# Another registry in front; a broken entry is warned of and hides nothing.
entry "$scratch/mine" 2 ratio=1.5
mkdir -p "$scratch/mine/rmsnorm/${name}_v9"
echo '{"schema": "tensorpath.kernel/v1", "opp": 1}' >"$scratch/mine/rmsnorm/${name}_v9/entry.json"
run list-kernels --registry "$scratch/mine" --registry "$root" --format json
expect_status 0
expect_stderr "warning: $scratch/mine/rmsnorm/${name}_v9/entry.json:1:"
expect_json 'len(d["kernels"])' 5
expect_json '[k["performance"]["ratio"] for k in d["kernels"] if k["id"] == "'"${name}_v2"'"]' '[1.5]'
run list-kernels -q --registry "$scratch/mine"
expect_no_stderr

# --- --explain ------------------------------------------------------------------------------------

run list-kernels --explain "${name}_v2"
expect_status 0
expect_fits
expect_stdout "rows = 1..64, hidden = 4096; tuned for 16x4096"
expect_stdout "the operator's tuned baseline"
expect_stdout "1.40x [1.35, 1.45] against tuned, cold, on host"
expect_stdout "was not measured"
run list-kernels --explain cuda --format json
expect_status 0
expect_json 'd["id"]' "$cuda"
run list-kernels --explain cpp
expect_status 2
expect_stderr "may be any of 4 kernels"
run list-kernels --explain "${name}_v3"
expect_status 2
expect_stderr "did you mean"
run list-kernels --explain cuda --select op=rmsnorm
expect_status 2

# --- --select -------------------------------------------------------------------------------------

run list-kernels --select op=rmsnorm,shape=16x4096,dtype=fp32,gpu=host
expect_status 0
expect_fits
[ "$(head -n 1 "$scratch/stdout")" = "${name}_v2" ] || fail "expected ${name}_v2 to win"
expect_stdout "1.23x against tuned at this shape, less than 1.4x"
expect_stdout "not measured at this shape"
expect_stdout "it is for h200_sxm, not host"
run list-kernels --select hidden=4096,op=rmsnorm,rows=32,eps=1e-6 --format json
expect_status 0
expect_json 'd["winner"]' "$rows32"
expect_json 'd["query"]["shape"]' "{'hidden': 4096, 'rows': 32}"
expect_json 'd["query"]["dtype"]' fp32
run list-kernels --select op=rmsnorm,shape=65x4096 --format json
expect_status 1
expect_json 'd["winner"]' None
expect_json 'all("rows = 65 is outside 1..64" in l["reason"] for l in d["losers"])' True
run list-kernels --select op=rmsnorm,shape=16x4096,dtype=bf16
expect_status 1
expect_stdout "stale: compiler was g++ 4.0"
run list-kernels --select op=rmsnorm,shape=16x4096,eps=1e-5
expect_status 1
expect_stdout "eps = 1e-06 is not 1e-05"
run list-kernels --select op=rmsnorm,shape=16x4096,layout=strided
expect_status 1
expect_stdout "it takes no strided layout"
run list-kernels --select op=rmsnorm,shape=16x4096,gpu=h200,arch=sm_80 --format csv
expect_status 1
expect_stdout "the machine has sm_80"
mistake() { # CALL WHAT HINT
  run list-kernels --select "$1"
  expect_status 2
  expect_no_stdout
  expect_stderr "$2"
  expect_stderr "$3"
}
mistake shape=16x4096 "there is no op=" "op=rmsnorm"
mistake op=rmsnrom,shape=1x1 "rmsnrom" "did you mean 'rmsnorm'?"
mistake op=rmsnorm,shape=16 "the shape has no hidden" "rowsxhidden"
mistake op=rmsnorm,shape=16x4096x2 "more than 2 sizes" "rowsxhidden"
mistake op=rmsnorm,shape=axb "'a' is no size" ""
mistake op=rmsnorm,rows=1 "the shape has no hidden" "shape=rowsxhidden"
mistake op=rmsnorm,rows=1..4,hidden=8 "rows is a range" "one size"
mistake op=rmsnorm,rwos=1 "has no 'rwos'" "did you mean 'rows'?"
mistake op=rmsnorm,shape=1x1,dtype=fp61 "there is no type 'fp61'" "did you mean 'fp16'?"
mistake op=rmsnorm,shape=1x1,gpu=h200_sxn "h200_sxn" "did you mean 'h200_sxm'?"
mistake op=rmsnorm,shape=1x1,layout=strode "there is no layout 'strode'" "did you mean 'strided'?"
mistake op=rmsnorm,op=silu "op is given twice" ""
mistake op=rmsnorm,shape "'shape' is no key=value" ""

# --- completion -----------------------------------------------------------------------------------

run __complete list-kernels --registry "$root" --explain cuda
expect_stdout "$cuda"
[[ $stdout == *cpp_* ]] && fail "expected only what begins with the word"
run __complete list-kernels --op rms
expect_stdout rmsnorm
run __complete list-kernels --sort ra
expect_stdout ratio

# --- recommend ------------------------------------------------------------------------------------

chat=$TENSORPATH_SOURCE_DIR/data/workloads/support-chat.yaml
rm -rf .tensorpath
run recommend "$chat" --format json --screen
expect_status 0
cp "$scratch/stdout" "$scratch/without.json"
gpu=$(json 'd["plans"][0]["gpu"]')
run recommend "$chat" --screen
cp "$scratch/stdout" "$scratch/without.txt"
entry "$scratch/gpu" 1 'e["op"] = "matmul"' 'e["language"] = "cuda"' "e['gpu'] = '$gpu'" \
  'e["dtype"] = "bf16"' 'e["domain"]["dims"] = {"m": [1, 64], "n": [64, 64]}' \
  'e["tuned_shape"] = {"m": 16, "n": 64}'
run recommend "$chat" --format json --screen --registry "$scratch/gpu"
expect_status 0
expect_json 'd["verified_kernels"][0]["op"], d["verified_kernels"][0]["in_the_numbers"]' "('matmul', False)"
command_line="recommend with a registry and without"
python3 -c '
import sys
lines = open(sys.argv[1]).read()
start = lines.index(",\n  \"verified_kernels\"")
sys.stdout.write(lines[:start] + "\n}\n")' "$scratch/stdout" >"$scratch/cut.json"
cmp -s "$scratch/cut.json" "$scratch/without.json" || fail "expected the same bytes but for the kernels"
run recommend "$chat" --screen --registry "$scratch/gpu"
expect_stdout "in none of the numbers"
expect_stdout "op-level"
expect_fits
diff "$scratch/without.txt" "$scratch/stdout" | grep -q '^<' && fail "expected lines to be added only"

finish
