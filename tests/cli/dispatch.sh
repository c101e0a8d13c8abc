#!/usr/bin/env bash
# An executable tensorpath-foo on PATH is `tensorpath foo`.
source "$(dirname "$0")/lib/check.bash"

mkdir "$scratch/bin" "$scratch/data"
cat >"$scratch/bin/tensorpath-greet" <<'SCRIPT'
#!/bin/sh
printf 'argument: %s\n' "$@"
echo "data: $TENSORPATH_DATA"
echo "quiet: $TENSORPATH_QUIET"
echo "verbosity: $TENSORPATH_VERBOSITY"
"$TENSORPATH" --version
exit 7
SCRIPT
chmod +x "$scratch/bin/tensorpath-greet"
echo "not a program" >"$scratch/bin/tensorpath-inert"
export PATH="$scratch/bin:$PATH"

run -vv --data "$scratch/data" greet --name "two words" -q doctor
expect_status 7
expect_stdout "argument: --name"
expect_stdout "argument: two words"
expect_stdout "argument: -q"
expect_stdout "argument: doctor"
expect_stdout "data: $scratch/data:"
expect_stdout "quiet: 0"
expect_stdout "verbosity: 2"
expect_stdout "tensorpath 0."

run help --all
expect_stdout "  greet"
[[ $stdout != *inert* ]] || fail "expected only executables in the list"

run inert
expect_status 2
expect_stderr "'inert' is not a subcommand"

# A name cannot leave PATH's directories.
run ../bin/greet
expect_status 2
expect_stderr "is not a subcommand"

# The tool's own subcommands cannot be replaced.
cp "$scratch/bin/tensorpath-greet" "$scratch/bin/tensorpath-help"
run help doctor
expect_status 0

finish
