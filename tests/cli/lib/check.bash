# shellcheck shell=bash
# What the command-line tests share. A test sources this file, calls `run` and then the expect_*
# functions, and ends with `finish`. Each failure says what was run and what was seen.

: "${TENSORPATH:?set TENSORPATH to the binary under test}"
failures=0
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

fail() {
  failures=$((failures + 1))
  printf 'FAIL: %s\n  command: %s\n  status:  %s\n' "$1" "${command_line-}" "${status-}"
  printf '  stdout:\n%s\n  stderr:\n%s\n' "$(head -c 2000 "$scratch/stdout" 2>/dev/null)" \
    "$(head -c 2000 "$scratch/stderr" 2>/dev/null)"
}

# Runs the tool: sets status, stdout and stderr.
run() {
  command_line="tensorpath $*"
  status=0
  "$TENSORPATH" "$@" >"$scratch/stdout" 2>"$scratch/stderr" </dev/null || status=$?
  stdout=$(<"$scratch/stdout")
  stderr=$(<"$scratch/stderr")
}

expect_status() { [ "$status" -eq "$1" ] || fail "expected exit status $1"; }
expect_stdout() { [[ $stdout == *"$1"* ]] || fail "expected on standard output: $1"; }
expect_stderr() { [[ $stderr == *"$1"* ]] || fail "expected on standard error: $1"; }
expect_no_stdout() { [ -z "$stdout" ] || fail "expected nothing on standard output"; }
expect_no_stderr() { [ -z "$stderr" ] || fail "expected nothing on standard error"; }

# From here on `run` takes an installation in the scratch directory that has no kernel in
# kernels/verified.
without_shipped_kernels() {
  local share=$scratch/prefix/share
  mkdir -p "$scratch/prefix/bin" "$share"
  cp "$TENSORPATH" "$(dirname "$TENSORPATH")/tensorpath-worker" "$scratch/prefix/bin"
  cp -r "$TENSORPATH_SOURCE_DIR/data" "$share/tensorpath"
  cp -r "$TENSORPATH_SOURCE_DIR/kernels" "$share/tensorpath"
  rm -r "$share/tensorpath/kernels/verified"
  unset TENSORPATH_DATA
  TENSORPATH=$scratch/prefix/bin/tensorpath
}

# Visible subcommands, as `help --all` lists them.
subcommands() {
  "$TENSORPATH" help --all | awk '/^Subcommands$/ {on = 1; next} /^$/ {on = 0} on {print $1}'
}

finish() {
  [ "$failures" -eq 0 ] && echo "ok"
  exit $((failures > 0))
}
