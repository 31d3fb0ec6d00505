#!/usr/bin/env bash
# Builds the examples in $2 with CMake against the installed tree, linked with the $1 (shared, static) library, and runs
# them: two alone, then a publisher and three readers.
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
for example in camera display first_stream publish receive rolling_shutter; do
  expect_linkage "$1" "$work/$example"
done
"$work/first_stream"
"$work/rolling_shutter" 3
"$work/camera" 300
"$work/camera" 300 --aligned
"$work/publish" 5000 &
"$work/receive" 100 --direct &
"$work/display" 5 &
"$work/receive" 500
wait -n
wait -n
wait -n
