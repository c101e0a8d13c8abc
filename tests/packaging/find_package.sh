#!/usr/bin/env bash
# An installed libtensorpath is found by CMake's find_package and by pkg-config, from a moved prefix.
set -euo pipefail

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
consumer=$TENSORPATH_SOURCE_DIR/tests/packaging/consumer

cmake --install "$TENSORPATH_BUILD_DIR" --prefix "$scratch/first" >/dev/null
mv "$scratch/first" "$scratch/prefix"
prefix=$scratch/prefix
data=$prefix/share/tensorpath

cmake -S "$consumer" -B "$scratch/build" -DCMAKE_PREFIX_PATH="$prefix" >"$scratch/log" ||
  { cat "$scratch/log"; exit 1; }
cmake --build "$scratch/build" >"$scratch/log" || { cat "$scratch/log"; exit 1; }
"$scratch/build/consumer" "$data"

pc=$(find "$prefix" -name pkgconfig -type d)
read -ra flags < <(PKG_CONFIG_PATH=$pc pkg-config --cflags --libs tensorpath)
libdir=$(PKG_CONFIG_PATH=$pc pkg-config --variable=libdir tensorpath)
c++ -std=c++20 "$consumer/main.cpp" "${flags[@]}" -Wl,-rpath,"$libdir" -o "$scratch/by_pkg_config"
"$scratch/by_pkg_config" "$data"

# Without TENSORPATH_DATA the moved command finds its own data and manual.
unset TENSORPATH_DATA
"$prefix/bin/tensorpath" doctor --format csv | grep -F "data,ok,$data" ||
  { "$prefix/bin/tensorpath" doctor; exit 1; }
"$prefix/bin/tensorpath" help doctor | grep -q 'EXIT STATUS'
