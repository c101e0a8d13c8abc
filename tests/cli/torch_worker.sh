#!/usr/bin/env bash
# torch-worker lies beside tensorpath-worker, and says of a Python what PyTorch it has or why it has
# none; what it is not started for it refuses.
source "$(dirname "$0")/lib/check.bash"
worker=$(dirname "$TENSORPATH")/torch-worker
python=${TENSORPATH_PYTHON:-python3}

run_worker() { # ARGUMENTS...: sets status, stdout and stderr
  command_line="torch-worker $*"
  status=0
  "$python" "$worker" "$@" >"$scratch/stdout" 2>"$scratch/stderr" </dev/null || status=$?
  stdout=$(<"$scratch/stdout")
  stderr=$(<"$scratch/stderr")
}

[ -f "$worker/__main__.py" ] || fail "expected $worker/__main__.py"
run_worker --help
expect_status 0
expect_stdout "--probe"
run_worker --arm torch-none
expect_status 2
expect_stderr "torch-none"
run_worker --probe --device cpu
if [ "$status" -eq 0 ]; then
  expect_stdout "torch: "
  expect_stdout "works: yes"
else
  expect_status 1
  expect_stdout "Error: "
  echo "no PyTorch here, only the refusals were tried: $stdout"
fi
# Without the harness on descriptors 3 and 4 there is nobody to serve.
run_worker --device cpu --baseline /nonexistent --kernels /nonexistent
expect_status 1
expect_stderr "Traceback"
finish
