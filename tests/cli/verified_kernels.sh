#!/usr/bin/env bash
# The kernels that come with the tool, and the packets of our own that were refused, are judged again:
# on the cases that their seeds reveal and on fresh ones, where they run.
source "$(dirname "$0")/lib/forge.bash"
shopt -s nullglob
packets=("$kernels"/verified/*/*/packet "$TENSORPATH_SOURCE_DIR"/tests/packets/*)

[ ${#packets[@]} -ge 6 ] || fail "expected six packets at least, not ${#packets[@]}"
run replay -q --level verify "${packets[@]}"
expect_status 0
# Those of a GPU are checked, anywhere.
run replay -q "$TENSORPATH_SOURCE_DIR"/tests/device/packets/*
expect_status 0
for entry in "$kernels"/verified/*/*/entry.json; do
  run list-kernels --explain "$(basename "$(dirname "$entry")")"
  expect_status 0
done
finish
