#!/usr/bin/env bash
# cpack makes Debian packages that name what they need, hold what a user looks for, and run unpacked.
set -euo pipefail

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
(cd "$TENSORPATH_BUILD_DIR" && cpack -G DEB -B "$scratch/packages" >"$scratch/log" 2>&1) ||
  { cat "$scratch/log"; exit 1; }
tool=$(echo "$scratch"/packages/tensorpath_*.deb)
dev=$(echo "$scratch"/packages/libtensorpath-dev_*.deb)

expect() { # WHAT PATTERN: standard input matches
  grep -qE -- "$2" || { echo "FAIL: expected $1 ($2)"; exit 1; }
}
depends=$(dpkg-deb -f "$tool" Depends)
for library in libc6 'libstdc\+\+6' libyaml-cpp libfmt libssl; do
  echo "$depends" | expect "a dependency on $library, not only: $depends" "$library"
done
dpkg-deb -f "$dev" Depends | expect "the dev package to need the tool" 'tensorpath \(= '

dpkg-deb -c "$tool" >"$scratch/files"
for path in bin/tensorpath 'lib/.*libtensorpath\.so\.0' share/man/man1/tensorpath.1 \
  share/doc/tensorpath/copyright share/bash-completion/completions/tensorpath \
  share/zsh/vendor-completions/_tensorpath share/fish/vendor_completions.d/tensorpath.fish \
  share/tensorpath/gpus/ share/tensorpath/models/; do
  expect "the package to hold $path" "/usr/$path" <"$scratch/files"
done
dpkg-deb -c "$dev" >"$scratch/files"
for path in include/tensorpath/catalog.h include/tensorpath/version.h tensorpathConfig.cmake \
  tensorpath.pc 'libtensorpath\.so '; do
  expect "the dev package to hold $path" "$path" <"$scratch/files"
done

dpkg -x "$tool" "$scratch/root"
unset TENSORPATH_DATA
"$scratch/root/usr/bin/tensorpath" --version
"$scratch/root/usr/bin/tensorpath" doctor --format csv |
  expect "the unpacked command to use its own data" "data,ok,$scratch/root/usr/share/tensorpath"
