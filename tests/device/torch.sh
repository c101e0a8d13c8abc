#!/usr/bin/env bash
# What this machine's PyTorch, cuBLASLt and cuDNN say as arms of a benchmark: whether each arm is there
# and holds, and how it times beside naive and tuned. Needs the driver, the CUDA toolkit, a Python with
# PyTorch (TENSORPATH_PYTHON; default: python3), and a build with tests (TENSORPATH_BUILD_DIR; default:
# build/portable). Four minutes at most unless --limit says otherwise: first every arm of the named
# operators is verified and called once, then as many are benched, a minute or two each, as there is time
# for. What was measured is left in OUT.
#   tests/device/torch.sh [--out DIR] [--limit SECONDS] [--times] [NAME...]
# --times: straight to the benchmarks, which verify and call every arm of theirs as well.
# NAME: rmsnorm, softmax, matmul (the default), or another operator of the table below; all: those that
# have a baseline in PyTorch, verified and called only.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit

out=${OUT:-/tmp/tensorpath-torch}
limit=240
times=
names=()
while [ $# -gt 0 ]; do
  case $1 in
    --out) out=$2 && shift 2 ;;
    --limit) limit=$2 && shift 2 ;;
    --times) times=yes && shift ;;
    *) names+=("$1") && shift ;;
  esac
done
[ ${#names[@]} -gt 0 ] || names=(rmsnorm softmax matmul)
build=$(realpath "${TENSORPATH_BUILD_DIR:-build/portable}")
tensorpath=$build/bin/tensorpath
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out"
export PATH=${CUDA_HOME:-/usr/local/cuda}/bin:$PATH COLUMNS=120
export TENSORPATH_DATA=$PWD/data TENSORPATH_RUNS=$work/runs XDG_DATA_HOME=$work/data
sandbox=strict
rows='rows=512,hidden=4096'
declare -A shape=(
  [rmsnorm]=$rows [fused_add_rmsnorm]=$rows [softmax]=$rows [swiglu]=$rows [silu]=$rows
  [layernorm]=$rows [elementwise_add]=$rows [matmul]='m=1280,n=1280,k=256'
  [rope]='tokens=512,heads=32,head_dim=128,rotary_dim=128,max_positions=4096'
  [dequant_int4]='group=128,k=512,n=256'
)

say() { printf '\n== %s (%d s)\n' "$*" "$SECONDS"; }
left() { echo $((limit - SECONDS > 1 ? limit - SECONDS : 1)); }

table() { # bench.json
  python3 - "$1" <<'PY'
import json, sys
d = json.load(open(sys.argv[1]))
print("decision", d.get("decision"), "ratio", json.dumps(d.get("ratio")), "rounds", d.get("rounds"),
      "gap_us", d["stop_us"], "seconds", d["seconds"])
for case in d["cases"]:
    print(case.get("case"))
    print("  %-14s %10s %10s %10s  %s" % ("arm", "cold p50", "cold p95", "hot p50", "ratio"))
    for arm in case["arms"]:
        cold, hot = arm.get("cold") or {}, arm.get("hot") or {}
        print("  %-14s %10s %10s %10s  %s" % (arm["arm"], cold.get("p50_us"), cold.get("p95_us"),
                                              hot.get("p50_us"), json.dumps(arm.get("ratio"))))
print("arms", json.dumps(d.get("arms") or d.get("baselines")))
PY
}

one() { # OP: its tuned baseline as the candidate, against all arms
  local op=$1 id
  id=$("$tensorpath" forge create -q --op "$op" --dtype fp16 --shape "${shape[$op]}" \
    --language cuda --gpu h200_sxm --sandbox "$sandbox" --cases 12) || return 1
  cp "kernels/baselines/$op/cuda-tuned/"{kernel.cu,plan.yaml} "$TENSORPATH_RUNS/$id/candidate/"
  timeout "$(left)" "$tensorpath" forge verify -q --no-sanitizers --sandbox "$sandbox" --run-id "$id" ||
    return 1
  # Not -q: an arm that is absent or does not hold is told, with the traceback, while it is found.
  timeout "$(left)" "$tensorpath" forge bench --rounds 10 --time-limit 1 --sandbox "$sandbox" \
    --run-id "$id" --format json >"$work/$op.json"
  echo "bench: status $?"
  [ -s "$work/$op.json" ] && table "$work/$op.json" && cp "$work/$op.json" "$out/"
}

say machine
: "${TENSORPATH_PYTHON:=$(command -v python3)}"
export TENSORPATH_PYTHON
nvidia-smi --query-gpu=name,driver_version --format=csv,noheader
"$TENSORPATH_PYTHON" "$build/bin/torch-worker" --probe
# A promotion needs the strict sandbox; what can be seen in it may differ.
"$tensorpath" devices --calibrate --threads 1 --sandbox strict >"$work/devices" 2>&1 || {
  sandbox=best-effort
  tail -n 3 "$work/devices"
  echo "no strict sandbox here"
}
[ -n "$times" ] || say hold
if [ "${names[*]}" = all ]; then
  timeout "$(left)" "$build/tests/verify_torch" --gpu
  echo "status $?, took $SECONDS s"
  exit
fi
if [ -z "$times" ]; then
  timeout "$(left)" "$build/tests/verify_torch" --gpu "${names[@]/%//fp16}"
  echo "status $?"
fi
for name in "${names[@]}"; do
  [ "$(left)" -gt 20 ] || { echo "left out, the limit is near: $name" && continue; }
  say "$name"
  if [ -z "${shape[$name]:-}" ]; then
    echo "torch.sh: no such measurement: $name" >&2
    continue
  fi
  one "$name" || echo "FAILED: $name"
done
echo "took $SECONDS s"
