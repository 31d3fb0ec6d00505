#!/usr/bin/env bash
# Builds the project $2 with CMake against the installed tree, linked with the $1 (shared, static) library, and runs it.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common.sh"

case $1 in
  shared) target=tensorpool::tensorpool ;;
  static) target=tensorpool::tensorpool_static ;;
esac
"$CMAKE" -S "$2" -B "$work" -G Ninja "-Dtensorpool_ROOT=$PREFIX" "-DTENSORPOOL_LINK=$target" \
  "-DCMAKE_CXX_COMPILER=$CXX" -DCMAKE_CXX_FLAGS='-Wall -Wextra -Wconversion -Wold-style-cast -Werror' \
  -DCMAKE_FIND_USE_SYSTEM_PACKAGE_REGISTRY=OFF
"$CMAKE" --build "$work"
expect_linkage "$1" "$work/first_stream"
"$work/first_stream"
