#!/usr/bin/env bash
# The manual is clean mdoc and whole: a page for each subcommand, and in it each option of --help.
source "$(dirname "$0")/lib/check.bash"
cd "$TENSORPATH_SOURCE_DIR/man" || exit 1

for page in *; do
  command_line="mandoc -T lint -W warning $page"
  mandoc -T lint -W warning "$page" >"$scratch/stdout" 2>&1 || fail "expected a page without warnings"
  wanted=("EXAMPLES" "SEE ALSO")
  [[ $page == *.1 ]] && wanted+=("EXIT STATUS")
  for section in "${wanted[@]}"; do
    grep -q "^\.Sh $section" "$page" || fail "expected a section $section"
  done
done

check_options() { # PAGE WORDS...: the options of `tensorpath WORDS --help` are in PAGE
  local page=$1 option
  shift
  mandoc -T ascii "$page" | sed 's/.\x08//g' >"$scratch/stdout"
  command_line="tensorpath $* --help against $page"
  for option in $("$TENSORPATH" "$@" --help | grep -oE '^ +(-[a-zA-Z],)?-[-a-zA-Z0-9]+' | tr ',' ' '); do
    # tensorpath.1 describes it for all.
    [[ $# -gt 0 && ($option == -h || $option == --help) ]] && continue
    grep -qE -- "(^|[^-a-zA-Z0-9])$option([^-a-zA-Z0-9]|$)" "$scratch/stdout" || fail "expected $option in $page"
  done
}

check_options tensorpath.1
for name in $(subcommands); do
  page=tensorpath-$name.1
  command_line="man/$page"
  if [ ! -f "$page" ]; then
    fail "expected a manual page for $name"
    continue
  fi
  grep -q "Xr tensorpath-$name 1" tensorpath.1 || fail "expected tensorpath.1 to name $name"
  check_options "$page" "$name"
  # profile list, forge run: their options are in the page of the group.
  for nested in $("$TENSORPATH" "$name" --help | awk '/^Subcommands:/ {on = 1; next} on && NF {print $1}' | grep -E '^[a-z]'); do
    "$TENSORPATH" "$name" "$nested" --help >/dev/null 2>&1 && check_options "$page" "$name" "$nested"
  done
done

command_line="lib/src/harness/failure.cpp against tensorpath-forge.1"
for class in $(tr -d '\n' <../lib/src/harness/failure.cpp | grep -oE '\{Failure::k[A-Za-z]+, *"[a-z_]+"' | cut -d'"' -f2); do
  [ "$class" = none ] || grep -qx "\.It Cm $class" tensorpath-forge.1 || fail "expected the failure class $class"
done

for page in tensorpath-*.5 tensorpath-*.7; do
  name=${page%.*}
  command_line="man/$page"
  grep -q "Xr $name ${page##*.}" tensorpath.1 || fail "expected tensorpath.1 to name $page"
done

finish
