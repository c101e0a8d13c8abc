#!/usr/bin/env bash
# --version and --help answer on standard output, whatever else is wrong with the machine.
source "$(dirname "$0")/lib/check.bash"

run --version
expect_status 0
[[ $stdout =~ ^tensorpath\ [0-9]+\.[0-9]+\.[0-9]+$ ]] || fail "expected 'tensorpath X.Y.Z' alone"
expect_no_stderr

TENSORPATH_DATA=/nonexistent run --version
expect_status 0

run --help
expect_status 0
expect_stdout "Usage: tensorpath"
expect_no_stderr

for name in $(subcommands); do
  run "$name" --help
  expect_status 0
  expect_stdout "Usage: tensorpath $name"
  long=$(awk 'length > 80 && !/\{/' <<<"$stdout")  # a list of words is not broken
  [ -z "$long" ] || fail "expected --help of $name to fit 80 columns, not: $long"
done

finish
