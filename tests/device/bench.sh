#!/usr/bin/env bash
# Times kernels on this machine's GPU and prints what came of it: each of tests/device/cuda_kernels
# named below against itself, which must be SAME, and the gate with kernels that spin for a known
# time. Needs the driver and the CUDA toolkit, and a build (TENSORPATH_BUILD_DIR; default:
# build/portable). Everything that was measured is left in OUT.
#   tests/device/bench.sh [--out DIR] [--gate N] [NAME...]
set -uo pipefail
cd "$(dirname "$0")/../.."

out=${OUT:-/tmp/tensorpath-bench}
gate=1
names=()
while [ $# -gt 0 ]; do
  case $1 in
    --out) out=$2 && shift 2 ;;
    --gate) gate=$2 && shift 2 ;;
    *) names+=("$1") && shift ;;
  esac
done
[ ${#names[@]} -gt 0 ] || names=(rmsnorm rmsnorm_large softmax rope matmul matmul_splitk gate)
build=$(realpath "${TENSORPATH_BUILD_DIR:-build/portable}")
tensorpath=$build/bin/tensorpath
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out"
export PATH=${CUDA_HOME:-/usr/local/cuda}/bin:$PATH COLUMNS=120
export TENSORPATH_BUILD_DIR=$build TENSORPATH_SOURCE_DIR=$PWD

# A data directory of its own, whose baseline of an operator is the kernel itself.
mkdir -p "$work/tree"
cp -r data "$work/tree/data"
cp -r kernels "$work/tree/kernels"
rm -rf "$work"/tree/kernels/baselines/*
export TENSORPATH_DATA=$work/tree/data
export TENSORPATH_RUNS=$work/runs

say() { printf '\n== %s\n' "$*"; }

summary() { # bench.json
  python3 - "$1" <<'PY'
import json, sys
d = json.load(open(sys.argv[1]))
if "failure_class" in d:
    print("rejected:", d["failure_class"], d.get("detail"))
r = d.get("ratio") or {}
print("decision", d.get("decision"), "ratio", r, "rounds", d.get("rounds"), "pairs", d.get("pairs"),
      "dropped", d.get("dropped_pairs", d.get("dropped")))
print("empty_us", d["empty_call_us"], "gap_us", d["stop_us"], "checked", d["checked_calls"],
      "seconds", d["seconds"], "stopped:", d["method"]["stopped_because"])
for case in d["cases"]:
    print("case", json.dumps(case)[:1500])
gpu = d["environment"]["gpu"]
print("gpu", json.dumps({k: v for k, v in gpu.items() if k != "rounds"}))
for at in (0, -1):
    if gpu.get("rounds"):
        print("round", json.dumps(gpu["rounds"][at]))
PY
}

bench() { # NAME KERNEL OP DTYPE SHAPE [ATTRIBUTE...]
  local name=$1 kernel=tests/device/cuda_kernels/$2 op=$3 dtype=$4 shape=$5
  shift 5
  local start=$SECONDS id
  say "$name: $kernel, $dtype, $shape"
  rm -rf "$work/tree/kernels/baselines/$op"
  mkdir -p "$work/tree/kernels/baselines/$op"
  cp -r "$kernel" "$work/tree/kernels/baselines/$op/cuda-naive"
  id=$("$tensorpath" forge create -q --op "$op" --dtype "$dtype" --shape "$shape" --language cuda \
    --gpu h200_sxm --sandbox best-effort "$@") || return 1
  cp "$kernel"/kernel.cu "$kernel"/plan.yaml "$work/runs/$id/candidate/"
  timeout 240 "$tensorpath" forge verify -q --no-sanitizers --sandbox best-effort --run-id "$id" || return 1
  echo "verified after $((SECONDS - start)) s"
  timeout 280 "$tensorpath" forge bench -q --rounds 10 --time-limit 60 --sandbox best-effort \
    --run-id "$id" --format json >"$work/$name.json"
  echo "bench: status $?, $((SECONDS - start)) s in all"
  [ -s "$work/$name.json" ] && summary "$work/$name.json"
  mkdir -p "$work/keep/$name"
  cp "$work/$name.json" "$work"/runs/"$id"/attempts/*/bench-*/* "$work/keep/$name/" 2>/dev/null
  [ -n "$(ls -A "$work/keep/$name")" ] || find "$work/runs/$id" -name samples.bin -exec cp {} "$work/keep/$name/" \;
}

say "machine"
nvidia-smi --query-gpu=name,driver_version,uuid,clocks.sm,clocks.mem,temperature.gpu,power.draw \
  --format=csv,noheader
"$build/bin/tensorpath-worker" --device cuda
"$tensorpath" devices

for name in "${names[@]}"; do
  case $name in
    rmsnorm) bench "$name" rmsnorm_vector_fp16 rmsnorm fp16 rows=16,hidden=4096 ;;
    rmsnorm_large) bench "$name" rmsnorm_vector_fp16 rmsnorm fp16 rows=4096,hidden=4096 ;;
    softmax) bench "$name" softmax_online_fp32 softmax fp32 rows=64,hidden=4096 ;;
    rope)
      bench "$name" rope_fp16 rope fp16 \
        tokens=64,heads=8,head_dim=128,rotary_dim=128,max_positions=4096
      ;;
    matmul) bench "$name" matmul_tiled_fp32 matmul fp32 m=256,n=256,k=512 ;;
    # Zeroes a workspace at each call and has two launches.
    matmul_splitk) bench "$name" matmul_wmma_splitk_fp16 matmul fp16 m=64,n=256,k=512 ;;
    gate)
      say "gate: $gate runs of each"
      TENSORPATH_DATA=data timeout 400 "$build/tests/selftest" --no-corpus --no-proof \
        --device sm_90 --gate "$gate"
      ;;
    *) echo "bench.sh: no such measurement: $name" >&2 ;;
  esac || echo "FAILED: $name"
done
tar czf "$out/bench.tgz" -C "$work" keep 2>/dev/null
echo "took $SECONDS s"
