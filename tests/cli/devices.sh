#!/usr/bin/env bash
# devices lists what is here; --calibrate measures it, keeps it, and a benchmark finds it again.
source "$(dirname "$0")/lib/forge.bash"
export XDG_DATA_HOME=$scratch/data

json() { # EXPRESSION: of the document on standard output, as d
  python3 -c "import json, sys; d = json.load(open(sys.argv[1])); print(($1))" "$scratch/stdout" 2>&1
}
expect_json() { # EXPRESSION VALUE
  local value
  value=$(json "$1")
  [ "$value" = "$2" ] || fail "expected $1 to be $2, not $value"
}

run devices
expect_status 0
expect_stdout "host: "
expect_stderr "nothing was measured here yet: tensorpath devices --calibrate"
run devices --format json
expect_json 'd["devices"][0]["device"], d["devices"][0]["ceilings"]' "('host', [])"
XDG_DATA_HOME='' HOME='' run devices
expect_status 3
expect_stderr "set HOME or XDG_DATA_HOME"
run devices --calibrate --threads 64
if [ "$(nproc)" -lt 65 ]; then
  expect_status 3
  expect_stderr "timing needs 65 cores"
fi

if [ "$(nproc)" -ge 2 ]; then
  run devices --calibrate --threads 1 --format json
  expect_status 0
  expect_stderr "measuring fma"
  for number in read_gb_s copy_gb_s cache_gb_s fp32_gflop_s empty_call_us; do
    expect_json "d['devices'][0]['ceilings'][0]['$number'] > 0" True
  done
  expect_json 'd["devices"][0]["ceilings"][0]["threads"]' 1
  COLUMNS=80 run devices
  expect_stdout "read GB/s"
  [ "$(wc -L <"$scratch/stdout")" -le 80 ] || fail "expected lines of at most 80 columns"
  if [ -e "$TENSORPATH_BUILD_DIR/tests/stand_in/libcuda.so.1" ]; then
    # What stands in for a GPU is measured beside the processor, and found again.
    export LD_LIBRARY_PATH=$TENSORPATH_BUILD_DIR/tests/stand_in
    run devices --calibrate --threads 1 --sandbox best-effort --format json
    expect_status 0
    expect_stderr "measuring GPU 0"
    expect_json 'd["devices"][1]["ceilings"][0]["graph_node_us"]["best"] > 0' True
    COLUMNS=80 run devices
    expect_stdout "fp16 wgmma TFLOP/s"
    [ "$(wc -L <"$scratch/stdout")" -le 80 ] || fail "expected lines of at most 80 columns"
    unset LD_LIBRARY_PATH
    run devices
    [[ $stdout != *wgmma* ]] || fail "expected no GPU that is not here"
  fi
  # Ceilings of another processor say nothing of this one, nor does half a file.
  sed -i 's/"processor": "/"processor": "another /' "$XDG_DATA_HOME/tensorpath/devices/host-1.json"
  run devices
  expect_stderr "nothing was measured here yet"
  echo '{"processor":' >"$XDG_DATA_HOME/tensorpath/devices/host-1.json"
  run devices
  expect_status 0
fi

finish
