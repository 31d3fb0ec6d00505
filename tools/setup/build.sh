# shellcheck shell=bash disable=SC2016,SC2034,SC2154
# Builds what was fetched: the environment of cmake and ninja, HdrHistogram, Aeron.

venv=$deps/cmake
# Installed binaries serve one kind of machine and system only.
platform=$(uname -m)-$(. /etc/os-release 2>/dev/null && printf '%s-%s' "${ID:-linux}" "${VERSION_ID:-}")

recipe() { # recipe FILE...: changes when one of our build recipes does
  cat "$setup_dir/build.sh" "$@" | sha256sum | cut -c 1-16
}

# An interpreter of our own, because Debian's refuses to install; scripts in it hold its path, so it is made in place.
pip_in_venv() {
  if [ ! -e "$venv/bin/pip" ] || ! "$venv/bin/python" -c '' 2>/dev/null; then
    rm -rf "$venv"
    python3 -m venv "$venv" || { rm -rf "$venv"; return 1; }
  fi
  PIP_DISABLE_PIP_VERSION_CHECK=1 "$venv/bin/python" -m pip "$@"
}

build_cmake() {
  local key
  key="$(wheels_key) $platform $venv $(python3 -c 'import sys; print(sys.version_info[:2])')"
  is_done cmake "$key" "$venv/bin/ninja" && return
  undo cmake
  rm -rf "$venv"
  fetch_wheels
  say 'Installing cmake and ninja'
  run_logged pip-install pip_in_venv install -q --no-index --no-deps --require-hashes --find-links "$wheels" \
    -r "$root/tools/deps/wheels.txt" || die "pip could not install the wheels in $wheels" 'Run `make distclean`, then start again.'
  mark_done cmake "$key"
}

# cmake_install NAME SOURCE OPTION...: configures and builds in tmp, installs to $deps/NAME in one rename.
cmake_install() {
  local name=$1 source=$2 work
  shift 2
  work=$(fresh_tmp "$name")
  have ccache && set -- -DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache "$@"
  # The git variables keep an enclosing repository's state out of Aeron's version string.
  GIT_CEILING_DIRECTORIES=$deps/src run_logged "$name-configure" cmake -G Ninja -S "$source" -B "$work/build" \
    -DCMAKE_BUILD_TYPE=Release -DCMAKE_POSITION_INDEPENDENT_CODE=ON -DCMAKE_INSTALL_PREFIX="$deps/$name" \
    -DCMAKE_INSTALL_LIBDIR=lib "$@" || return
  run_logged "$name-build" nice ninja -C "$work/build" -j "$jobs" || return
  DESTDIR=$work/root run_logged "$name-install" ninja -C "$work/build" install || return
  rm -rf "${deps:?}/$name"
  mv "$work/root$deps/$name" "$deps/$name"
  rm -rf "$work"
}

keep_licence() { # keep_licence NAME FILE...
  local name=$1
  shift
  mkdir -p "$deps/licenses/$name"
  cp -f -- "$@" "$deps/licenses/$name/"
}

build_hdr_histogram() {
  local key zip work
  key="$HDR_VERSION $platform $(recipe)"
  is_done hdr_histogram "$key" "$deps/hdr_histogram/lib/libhdr_histogram_static.a" && return
  fetch_aeron
  zip=$aeron_src/cppbuild/HdrHistogram_c-$HDR_VERSION.zip
  [ -f "$zip" ] || die "$zip is missing" \
    "Aeron's tree is expected to carry HdrHistogram_c $HDR_VERSION; another Aeron needs another HDR_VERSION in tools/deps/versions.sh."
  say "Building HdrHistogram_c $HDR_VERSION (some seconds)"
  undo hdr_histogram
  work=$(fresh_tmp hdr-source)
  unzip -q "$zip" -d "$work"
  cmake_install hdr_histogram "$work/HdrHistogram_c-$HDR_VERSION" -DHDR_LOG_REQUIRED=OFF -DHDR_HISTOGRAM_BUILD_PROGRAMS=OFF \
    -DHDR_HISTOGRAM_BUILD_SHARED=OFF -DHDR_HISTOGRAM_INSTALL_SHARED=OFF -DCMAKE_C_VISIBILITY_PRESET=hidden ||
    die "HdrHistogram_c $HDR_VERSION did not build" "Its log is in $logs."
  keep_licence hdr_histogram "$work/HdrHistogram_c-$HDR_VERSION/"{LICENSE,COPYING}.txt
  rm -rf "$work"
  mark_done hdr_histogram "$key"
}

# What tells one source tree from another: the pinned hash, or for a tree of the user's the state of its files.
aeron_source_id() {
  if [ -n "${TENSORPOOL_AERON_SOURCE:-}" ]; then
    find "$TENSORPOOL_AERON_SOURCE/" -type f \( -name '*.[ch]' -o -name CMakeLists.txt -o -name version.txt \) \
      -printf '%p %s %T@\n' 2>/dev/null | LC_ALL=C sort | sha256sum | cut -c 1-32
  else
    printf '%s\n' "$AERON_TREE_SHA256"
  fi
}

build_aeron() {
  local key
  key="$(aeron_source_id) $platform $(recipe "$root/tools/deps/aeron-hidden.cmake")"
  is_done aeron "$key" "$deps/aeron/lib/libaeron_driver_static.a" && return
  fetch_aeron
  say "Building Aeron $(cat "$aeron_src/version.txt") (about a minute on two cores)"
  undo aeron
  cmake_install aeron "$aeron_src" -DAERON_TESTS=OFF -DAERON_BUILD_SAMPLES=OFF -DAERON_BUILD_DOCUMENTATION=OFF \
    -DBUILD_AERON_ARCHIVE_API=OFF "-DCMAKE_PROJECT_TOP_LEVEL_INCLUDES=$root/tools/deps/aeron-hidden.cmake" ||
    die "Aeron did not build" "Its log is in $logs."
  keep_licence aeron "$aeron_src/LICENSE"
  mark_done aeron "$key"
}
