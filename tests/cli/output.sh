#!/usr/bin/env bash
# How the process ends: a full disk is exit 3, a closed pipe is no error, an interrupt is 130.
source "$(dirname "$0")/lib/check.bash"

command_line="tensorpath doctor >/dev/full"
status=0
"$TENSORPATH" doctor >/dev/full 2>"$scratch/stderr" || status=$?
stderr=$(cat "$scratch/stderr")
expect_status 3
expect_stderr "cannot write standard output: No space left on device"

command_line="tensorpath --help | true"
for _ in 1 2 3 4 5; do
  "$TENSORPATH" --help 2>"$scratch/stderr" | true
  stderr=$(cat "$scratch/stderr")
  expect_no_stderr
done

# The tool waits for standard input that never comes, until the interrupt.
if "$TENSORPATH" --help | grep -q '^ *recommend'; then
  mkfifo "$scratch/fifo"
  sleep 60 >"$scratch/fifo" &
  writer=$!
  command_line="tensorpath recommend - (interrupted)"
  status=0
  timeout --preserve-status --signal=INT 2 "$TENSORPATH" recommend - <"$scratch/fifo" \
    >"$scratch/stdout" 2>"$scratch/stderr" || status=$?
  kill "$writer"
  expect_status 130
fi

finish
