#!/usr/bin/env bash
# A program with symbols named as Aeron's ($2), linked with the $1 (shared, static) library: alone, and with its own Aeron.
# shellcheck source-path=SCRIPTDIR disable=SC2046
. "$(dirname "$0")/common.sh"

case $1 in
  shared) package=tensorpool ;;
  static) package=tensorpool-static ;;
esac
flags=(-std=c++20 -O1 -Wall -Wextra)
include=()
IFS=';' read -ra folders <<<"$AERON_INCLUDE"
for folder in "${folders[@]}"; do include+=(-isystem "$folder"); done

"$CXX" "${flags[@]}" "$2" $(pkg-config --cflags --libs "$package") -o "$work/alone"
"$work/alone"
"$CXX" "${flags[@]}" -DOWN_AERON "${include[@]}" "$2" $(pkg-config --cflags --libs "$package") \
  "$AERON" -pthread -lbsd -luuid -lm -ldl -o "$work/with-aeron"
expect_linkage "$1" "$work/with-aeron"
"$work/with-aeron"
