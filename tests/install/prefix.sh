#!/usr/bin/env bash
# Installs the build tree $1 and moves the result to PREFIX, since an installed tensorpool may be moved.
set -euo pipefail

rm -rf "$PREFIX" "$PREFIX.before"
"$CMAKE" --install "$1" --prefix "$PREFIX.before"
mv "$PREFIX.before" "$PREFIX"
for place in include/tensorpool/types/expected.hpp share/doc/tensorpool/LICENSE share/doc/tensorpool/THIRD-PARTY-NOTICES.md; do
  [ -s "$PREFIX/$place" ] || { printf '%s was not installed\n' "$place" >&2; exit 1; }
done
# The unit of systemd names its program in full.
! grep -rIl --exclude=tensorpool-driver.service "$PREFIX.before\|$1" "$PREFIX" || { printf 'these files know where they were built\n' >&2; exit 1; }
