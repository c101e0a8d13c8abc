#!/usr/bin/env bash
# help prints the manual page as plain text where there is no terminal, and --all lists everything.
source "$(dirname "$0")/lib/check.bash"

run help
expect_status 0
expect_stdout "TENSORPATH(1)"
expect_stdout "EXIT STATUS"
! grep -q $'\b' "$scratch/stdout" || fail "expected no overstrikes in plain text"

for name in $(subcommands); do
  run help "$name"
  expect_status 0
  expect_stdout "tensorpath $name"
  expect_stdout "EXIT STATUS"
done

run help --all
expect_status 0
for name in doctor help; do expect_stdout "  $name "; done
for page in "$TENSORPATH_SOURCE_DIR"/man/*.5; do
  [ -e "$page" ] || continue
  topic=$(basename "$page" .5)
  expect_stdout "  ${topic#tensorpath-}"
done

for page in "$TENSORPATH_SOURCE_DIR"/man/*.7; do
  topic=$(basename "$page" .7)
  topic=${topic#tensorpath-}
  expect_stdout "  $topic"
done
run help security
expect_status 0
expect_stdout "TENSORPATH-SECURITY(7)"

run help docter
expect_status 2
expect_no_stdout
expect_stderr "did you mean 'doctor'?"

# Without man and mandoc the options are printed still.
mkdir "$scratch/empty"
PATH="$scratch/empty" run help doctor
expect_status 0
expect_stdout "--today"

finish
