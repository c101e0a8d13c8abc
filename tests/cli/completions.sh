#!/usr/bin/env bash
# Every subcommand and option of --help, and the names of the catalog, complete in the shell.
source "$(dirname "$0")/lib/check.bash"

# What bash would offer for the words given, the last of which is being typed.
offered() {
  bash -c '
    source "$1/completions/tensorpath.bash"
    shift
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
    _tensorpath
    printf "%s\n" "${COMPREPLY[@]}"' _ "$TENSORPATH_SOURCE_DIR" "$TENSORPATH" "$@"
}
expect_offered() { # WORD TYPED...
  command_line="completion of: ${*:2}"
  local word=$1
  shift
  offered "$@" >"$scratch/stdout"
  grep -qxF -- "$word" "$scratch/stdout" || fail "expected '$word' among the candidates"
}

for name in $(subcommands); do
  expect_offered "$name" ""
  for option in $("$TENSORPATH" "$name" --help | grep -oE '^ +(-[a-zA-Z],)?--[a-z0-9-]+' |
    grep -oE -- '--[a-z0-9-]+'); do
    expect_offered "$option" "$name" "${option:0:3}"
  done
done

expect_offered json doctor --format ""
expect_offered json doctor --format = j
expect_offered markdown doctor -q --format m
expect_offered doctor help d
for page in "$TENSORPATH_SOURCE_DIR"/man/*.5; do
  topic=$(basename "$page" .5)
  expect_offered "${topic#tensorpath-}" help ""
done

# Names of the catalog, those of --data included, for the options that take them.
if "$TENSORPATH" recommend --help 2>/dev/null | grep -q -- --prefer-gpu; then
  gpu=$(basename "$(ls "$TENSORPATH_SOURCE_DIR"/data/gpus/*.yaml | head -n 1)" .yaml)
  expect_offered "$gpu" recommend --prefer-gpu ""
  expect_offered vllm recommend --prefer-engine v
fi

# What Forge knows: operators, types, and the runs of --runs or TENSORPATH_RUNS.
expect_offered rmsnorm forge create --op rms
expect_offered l2_normalize forge create --ops "$TENSORPATH_SOURCE_DIR/tests/data/operators" --op l2
expect_offered bf16 forge create --dtype b
expect_offered x86-64-v3 forge create --arch x
expect_offered --candidate forge verify --c
id=$("$TENSORPATH" forge create -q --op silu --runs "$scratch/runs")
[ -n "$id" ] || fail "expected a run"
expect_offered "$id" forge verify --runs "$scratch/runs" --run-id ""
TENSORPATH_RUNS=$scratch/runs expect_offered "$id" forge verify --run-id "${id:0:8}"

# A file where a file is expected.
touch "$scratch/mine.yaml"
expect_offered "$scratch/mine.yaml" recommend "$scratch/m"

# The other shells' scripts read without an error where the shell is there.
command_line="zsh -n completions/_tensorpath"
if command -v zsh >/dev/null; then
  zsh -n "$TENSORPATH_SOURCE_DIR/completions/_tensorpath" || fail "expected zsh to read it"
fi
command_line="fish --no-execute completions/tensorpath.fish"
if command -v fish >/dev/null; then
  fish --no-execute "$TENSORPATH_SOURCE_DIR/completions/tensorpath.fish" ||
    fail "expected fish to read it"
  fish -c "source $TENSORPATH_SOURCE_DIR/completions/tensorpath.fish
           set PATH $(dirname "$TENSORPATH") \$PATH
           complete -C 'tensorpath doc'" | grep -q '^doctor' || fail "expected fish to offer doctor"
fi

finish
