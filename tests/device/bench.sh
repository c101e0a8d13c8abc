#!/usr/bin/env bash
# What this machine's GPU says of the shipped kernels: its ceilings, whether the baselines and examples
# hold, how they time, and what of the examples is promoted and replays. Needs the driver and the CUDA
# toolkit, and a build (TENSORPATH_BUILD_DIR; default: build/portable). What was measured is left in OUT.
#   tests/device/bench.sh [--out DIR] [--limit SECONDS] [--gate N] [NAME...]
# NAME: ceilings, hold, rmsnorm, softmax, rope (an example each: verify, bench, promote, replay),
# swiglu, fused_add_rmsnorm, matmul (the tuned baseline against both), same (a kernel against itself),
# gate (kernels that spin for a known time). Default: all but same and gate, until the limit is near.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit

out=${OUT:-/tmp/tensorpath-bench}
limit=540
gate=1
names=()
while [ $# -gt 0 ]; do
  case $1 in
    --out) out=$2 && shift 2 ;;
    --limit) limit=$2 && shift 2 ;;
    --gate) gate=$2 && shift 2 ;;
    *) names+=("$1") && shift ;;
  esac
done
[ ${#names[@]} -gt 0 ] ||
  names=(ceilings hold rmsnorm softmax rope matmul swiglu fused_add_rmsnorm)
build=$(realpath "${TENSORPATH_BUILD_DIR:-build/portable}")
tensorpath=$build/bin/tensorpath
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out" "$work/keep"
export PATH=${CUDA_HOME:-/usr/local/cuda}/bin:$PATH COLUMNS=120
export TENSORPATH_BUILD_DIR=$build TENSORPATH_SOURCE_DIR=$PWD TENSORPATH_DATA=$PWD/data
export TENSORPATH_RUNS=$work/runs TENSORPATH_REGISTRY=$work/registry XDG_DATA_HOME=$work/data
# A promotion needs the strict one; the first step says whether it works here.
sandbox=strict

say() { printf '\n== %s (%d s)\n' "$*" "$SECONDS"; }
left() { echo $((limit - SECONDS > 1 ? limit - SECONDS : 1)); }
# Runs a command for so many seconds at most, and never beyond the limit.
within() {
  local seconds=$1
  shift
  timeout "$((seconds < $(left) ? seconds : $(left)))" "$@"
}

summary() { # bench.json
  python3 - "$1" <<'PY'
import json, sys
d = json.load(open(sys.argv[1]))
if "failure_class" in d:
    print("rejected:", d["failure_class"], d.get("detail"))
print("decision", d.get("decision"), "ratio", d.get("ratio"), "rounds", d.get("rounds"), "pairs",
      d.get("pairs"), "dropped", d.get("dropped_pairs"))
print("promotion", json.dumps(d.get("promotion")))
print("empty_us", d["empty_call_us"], "gap_us", d["stop_us"], "checked", d["checked_calls"],
      "seconds", d["seconds"], "stopped:", d["method"]["stopped_because"])
for case in d["cases"]:
    print(case.get("case"), "roofline", json.dumps(case.get("roofline")))
    for arm in case["arms"]:
        cold, hot = arm.get("cold") or {}, arm.get("hot") or {}
        print("  %-10s cold p50 %s p95 %s hot p50 %s ratio %s" %
              (arm["arm"], cold.get("p50_us"), cold.get("p95_us"), hot.get("p50_us"), arm.get("ratio")))
gpu = d["environment"]["gpu"]
print("gpu", json.dumps({k: v for k, v in gpu.items() if k != "rounds"}))
for at in (0, -1):
    if gpu.get("rounds"):
        print("round", json.dumps(gpu["rounds"][at]))
PY
}

new_run() { # DIRECTORY OP DTYPE SHAPE [OPTION...]: prints the id
  local directory=$1 op=$2 dtype=$3 shape=$4 id
  shift 4
  id=$("$tensorpath" forge create -q --op "$op" --dtype "$dtype" --shape "$shape" --language cuda \
    --gpu h200_sxm --sandbox "$sandbox" "$@") || return 1
  cp "$directory"/kernel.cu "$directory"/plan.yaml "$TENSORPATH_RUNS/$id/candidate/"
  echo "$id"
}

ceilings() {
  if ! within 120 "$tensorpath" devices --calibrate --threads 1 --sandbox strict; then
    sandbox=best-effort
    echo "no strict sandbox here: nothing will be promoted"
    within 120 "$tensorpath" devices --calibrate --threads 1 --sandbox best-effort
  fi
  cp "$XDG_DATA_HOME"/tensorpath/devices/*.json "$work/keep/" 2>/dev/null
}

hold_one() { # DIRECTORY OP DTYPE SHAPE [OPTION...]
  local start=$SECONDS id text
  id=$(new_run "$@") || return 1
  if text=$(within 150 "$tensorpath" forge verify -q --no-sanitizers --sandbox "$sandbox" \
    --run-id "$id" 2>&1); then
    echo "holds: $* ($((SECONDS - start)) s)"
  else
    printf 'DOES NOT HOLD: %s\n%s\n' "$*" "$(tail -n 12 <<<"$text")"
  fi
}

# Every shipped kernel: each path of its plan, types in turn.
hold() {
  local b=kernels/baselines e=kernels/examples rows='rows=1..9,hidden=1..9000' at line
  local rope='tokens=1..33,heads=1..9,head_dim=2..160,rotary_dim=2..160,max_positions=1..64'
  local matmul='m=1..150,n=1..200,k=1..300'
  local -a list=(
    "$b/rmsnorm/cuda-naive rmsnorm fp16 $rows" "$b/rmsnorm/cuda-tuned rmsnorm bf16 $rows"
    "$b/rmsnorm/cuda-tuned rmsnorm fp32 $rows" "$e/rmsnorm/cuda rmsnorm fp16 $rows"
    "$e/rmsnorm/cuda rmsnorm fp32 $rows" "$b/softmax/cuda-naive softmax bf16 $rows"
    "$b/softmax/cuda-tuned softmax fp16 $rows" "$b/softmax/cuda-tuned softmax fp32 $rows"
    "$e/softmax/cuda softmax fp16 $rows" "$e/softmax/cuda softmax fp32 $rows"
    "$b/rope/cuda-naive rope fp32 $rope" "$b/rope/cuda-tuned rope fp16 $rope"
    "$b/rope/cuda-tuned rope bf16 $rope --attribute interleaved=1" "$e/rope/cuda rope fp16 $rope"
    "$e/rope/cuda rope fp32 tokens=1..33,heads=1..9,head_dim=128,rotary_dim=64,max_positions=1..64"
    "$b/fused_add_rmsnorm/cuda-naive fused_add_rmsnorm fp32 $rows"
    "$b/fused_add_rmsnorm/cuda-tuned fused_add_rmsnorm fp16 $rows"
    "$b/fused_add_rmsnorm/cuda-tuned fused_add_rmsnorm bf16 $rows"
    "$b/swiglu/cuda-naive swiglu fp16 $rows" "$b/swiglu/cuda-tuned swiglu bf16 $rows"
    "$b/swiglu/cuda-tuned swiglu fp32 $rows" "$b/silu/cuda-naive silu fp16 $rows"
    "$b/silu/cuda-tuned silu bf16 $rows" "$b/layernorm/cuda-naive layernorm bf16 $rows"
    "$b/layernorm/cuda-tuned layernorm fp16 $rows"
    "$b/elementwise_add/cuda-naive elementwise_add fp16 $rows"
    "$b/elementwise_add/cuda-tuned elementwise_add bf16 $rows"
    "$b/dequant_int4/cuda-tuned dequant_int4 fp16 group=8..64,k=8..192,n=8..200"
    "$b/dequant_int4/cuda-naive dequant_int4 fp16 group=8..64,k=8..192,n=8..200"
    "$b/dequant_int4/cuda-naive dequant_int4 bf16 group=8..64,k=8..192,n=8..200 --attribute symmetric=1"
    "$b/matmul/cuda-naive matmul bf16 $matmul --attribute bias=1 --attribute activation=3"
    "$b/matmul/cuda-tuned matmul fp16 $matmul" "$b/matmul/cuda-tuned matmul fp32 $matmul"
    "$b/matmul/cuda-tuned matmul bf16 $matmul --attribute bias=1 --attribute activation=2"
    "$b/matmul/cuda-tuned matmul fp16 m=1280,n=1280,k=64 --cases 12"
    "$b/matmul/cuda-tuned matmul fp32 m=1280,n=1280,k=64 --cases 12"
  )
  # Nothing is timed: a few at once.
  for at in "${!list[@]}"; do
    while [ "$(jobs -rp | wc -l)" -ge 6 ]; do wait -n; done
    read -ra line <<<"${list[at]}"
    hold_one "${line[@]}" &
  done
  wait
}

bench() { # NAME DIRECTORY OP DTYPE SHAPE [OPTION...]: leaves the run in $id
  local name=$1 start=$SECONDS
  local -a flags=()
  shift
  id=$(new_run "$@") || return 1
  [ "$sandbox" = strict ] || flags=(--no-sanitizers)
  within 150 "$tensorpath" forge verify -q "${flags[@]}" --sandbox "$sandbox" --run-id "$id" || return 1
  echo "verified after $((SECONDS - start)) s"
  within 150 "$tensorpath" forge bench -q --rounds 10 --time-limit 40 --sandbox "$sandbox" \
    --run-id "$id" --format json >"$work/$name.json"
  echo "bench: status $?, $((SECONDS - start)) s in all"
  [ -s "$work/$name.json" ] && summary "$work/$name.json"
  mkdir -p "$work/keep/$name"
  cp "$work/$name.json" "$work/keep/$name/"
  find "$TENSORPATH_RUNS/$id" -name samples.bin -exec cp {} "$work/keep/$name/" \;
}

promote() { # NAME OP DTYPE SHAPE
  local packet
  bench "$1" "kernels/examples/$2/cuda" "$2" "$3" "$4" --cases 12 || return 1
  within 200 "$tensorpath" forge promote --rounds 10 --time-limit 40 --sandbox "$sandbox" --run-id "$id"
  echo "promote: status $?"
  packet=$(dirname "$(find "$TENSORPATH_REGISTRY" "$TENSORPATH_RUNS/$id" -name packet.json \
    -printf '%T@ %p\n' 2>/dev/null | sort -n | tail -n 1 | cut -d' ' -f2-)")
  tar czf "$work/keep/$1/packet.tgz" -C "$packet" . 2>/dev/null
  within 150 "$tensorpath" replay --level verify --seeds 0 --sandbox "$sandbox" "$packet"
  echo "replay: status $?"
}

# A data directory of its own, whose baseline is the kernel itself: SAME, or the clock is wrong.
same() {
  local kernel=tests/device/cuda_kernels/rmsnorm_vector_fp16
  mkdir -p "$work/tree"
  cp -r data kernels "$work/tree/"
  rm -rf "$work"/tree/kernels/baselines/rmsnorm/cuda-*
  cp -r "$kernel" "$work/tree/kernels/baselines/rmsnorm/cuda-naive"
  TENSORPATH_DATA=$work/tree/data bench same "$kernel" rmsnorm fp16 rows=64,hidden=4096 --cases 12
}

tuned() { # OP DTYPE SHAPE
  bench "$1" "kernels/baselines/$1/cuda-tuned" "$1" "$2" "$3" --cases 12
}

say machine
nvidia-smi --query-gpu=name,driver_version,uuid,clocks.sm,clocks.mem,temperature.gpu,power.draw \
  --format=csv,noheader
"$build/bin/tensorpath-worker" --device cuda
[[ " ${names[*]} " == *" ceilings "* ]] || names=(ceilings "${names[@]}")
for name in "${names[@]}"; do
  [ "$(left)" -gt 20 ] || { echo "left out, the limit is near: $name" && continue; }
  say "$name"
  case $name in
    ceilings | hold | same) "$name" ;;
    rmsnorm | softmax) promote "$name" "$name" fp16 rows=512,hidden=4096 ;;
    rope)
      promote rope rope fp16 \
        tokens=512,heads=32,head_dim=128,rotary_dim=128,max_positions=4096
      ;;
    swiglu | fused_add_rmsnorm) tuned "$name" fp16 rows=512,hidden=4096 ;;
    matmul) tuned matmul fp16 m=1280,n=1280,k=256 ;;
    gate)
      within 400 "$build/tests/selftest" --no-corpus --no-proof --device sm_90 --gate "$gate"
      ;;
    *) echo "bench.sh: no such measurement: $name" >&2 ;;
  esac || echo "FAILED: $name"
done
tar czf "$out/bench.tgz" -C "$work" keep 2>/dev/null
echo "took $SECONDS s"
