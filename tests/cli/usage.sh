#!/usr/bin/env bash
# Wrong usage is exit 2, says what is wrong on standard error, and names the nearest right word.
source "$(dirname "$0")/lib/check.bash"

run
expect_status 2
expect_no_stdout
expect_stderr "Usage: tensorpath"

run docter
expect_status 2
expect_no_stdout
expect_stderr "'docter' is not a subcommand"
expect_stderr "did you mean 'doctor'?"

run doctor --fromat json
expect_status 2
expect_stderr "doctor has no option '--fromat'"
expect_stderr "did you mean '--format'?"

run doctor --format jsn
expect_status 2
expect_stderr "--format does not take 'jsn'"
expect_stderr "did you mean 'json'?"

run doctor surplus
expect_status 2
expect_stderr "does not expect the argument 'surplus'"

run --versoin
expect_status 2
expect_stderr "did you mean '--version'?"

run -C "$scratch/absent" doctor
expect_status 2
expect_stderr "cannot change to directory '$scratch/absent': No such file or directory"

run doctor --today yesterday
expect_status 2
expect_stderr "YYYY-MM-DD"

# Global options stand on either side of the subcommand.
run -q --data "$TENSORPATH_SOURCE_DIR/data" doctor
expect_status 0
run doctor -q --data "$TENSORPATH_SOURCE_DIR/data"
expect_status 0

# -C comes first: --data is looked up from there.
run -C "$TENSORPATH_SOURCE_DIR" --data data doctor
expect_status 0

finish
