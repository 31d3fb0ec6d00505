# shellcheck shell=bash
# Common to the tests of the installed tree. From the environment: PREFIX and LIBDIR, the installed tree and its libraries;
# CMAKE, CC, CXX. Each test works in a folder of its own and in an Aeron directory of its own, both removed at its end.
set -euo pipefail

work=$(mktemp -d)
shared_memory=$(mktemp -d /dev/shm/tensorpool-install-XXXXXX)
trap 'rm -rf "$work" "$shared_memory"' EXIT
export AERON_DIR=$shared_memory/aeron
# The dynamic linker finds an uninstalled library through this alone: no run path of the build tree may help.
export LD_LIBRARY_PATH=$LIBDIR
export PKG_CONFIG_PATH=$LIBDIR/pkgconfig

fail() {
  printf '%s\n' "$*" >&2
  exit 1
}

# expect_linkage KIND PROGRAM: the program loads our shared library if and only if it is meant to.
expect_linkage() {
  local needed=static
  readelf --dynamic "$2" | grep -q 'NEEDED.*libtensorpool\.so\.' && needed=shared
  [ "$needed" = "$1" ] || fail "$2 is linked with the $needed library, not the $1 one"
}
