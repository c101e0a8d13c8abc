#!/usr/bin/env bash
# Calibrates the gate of promotion on this machine's GPU and, on other cores at the same time, on its
# processor: kernels that spin for a known time, in chunks until the time is up. Prints the sums.
#   tests/device/gate.sh SECONDS [RUNS_PER_CHUNK]
# Needs the driver, the CUDA toolkit, at least 8 cores and a build (TENSORPATH_BUILD_DIR).
set -uo pipefail
cd "$(dirname "$0")/../.." || exit

seconds=${1:?seconds}
chunk=${2:-10}
build=$(realpath "${TENSORPATH_BUILD_DIR:-build/portable}")
export PATH=${CUDA_HOME:-/usr/local/cuda}/bin:$PATH
export TENSORPATH_BUILD_DIR=$build TENSORPATH_SOURCE_DIR=$PWD TENSORPATH_DATA=$PWD/data
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cores=$(nproc)

repeat() { # NAME CORES OPTION...: chunks until no other is likely to end in time
  local name=$1 cores=$2 start longest=0
  shift 2
  while start=$SECONDS && [ $((start + longest + longest / 4 + 3)) -lt "$seconds" ]; do
    taskset -c "$cores" "$build/tests/selftest" --no-corpus --no-proof "$@" 2>&1
    [ $((SECONDS - start)) -le "$longest" ] || longest=$((SECONDS - start))
  done > "$work/$name"
}

sum() { # NAME
  echo "== $1"
  cat "$work/$1" >> "${OUT:-$work}/$1.txt"
  awk '/^ +1\.[0-9]+ / {
         key = $1
         for (i = 2; i <= 7; ++i) n[key " " i] += $i
         if ($8 + 0 > worst[key]) worst[key] = $8 + 0
       }
       /PROBLEM|hint|NOT calibrated/ { print }
       END {
         print "true ratio  runs  FAST  SLOW  SAME  AMBIGUOUS  promoted  worst error"
         count = split("1.00 1.05 1.25", keys, " ")
         for (j = 1; j <= count; ++j) {
           key = keys[j]
           printf "%10s  %4d  %4d  %4d  %4d  %9d  %8d  %10.2f%%\n", key, n[key " 2"], n[key " 3"],
             n[key " 4"], n[key " 5"], n[key " 6"], n[key " 7"], worst[key]
         }
       }' "$work/$1"
}

date -u +%Y-%m-%dT%H:%M:%SZ
nvidia-smi --query-gpu=name,driver_version --format=csv,noheader
lscpu | grep 'Model name'
repeat gpu 0-3 --device "${ARCHITECTURE:-sm_90}" --gate "$chunk" &
repeat processor "4-$((cores - 1))" --gate "$((4 * chunk))" --jobs $(((cores - 4) / 2)) &
wait
sum gpu
sum processor
echo "took $SECONDS s"
