#!/usr/bin/env bash
# Builds first_stream.cpp of $2 by hand with what pkg-config says, linked with the $1 (shared, static) library, and runs it.
# shellcheck source-path=SCRIPTDIR disable=SC2046
. "$(dirname "$0")/common.sh"

case $1 in
  shared) package=tensorpool ;;
  static) package=tensorpool-static ;;
esac
"$CXX" -std=c++20 -O1 "$2/first_stream.cpp" $(pkg-config --cflags --libs "$package") -o "$work/first_stream"
expect_linkage "$1" "$work/first_stream"
"$work/first_stream"
