# shellcheck shell=bash disable=SC2016,SC2034,SC2154
# What comes from a registry: Aeron's sources, the SBE tool, the wheels of cmake and ninja. Each is asked for by name with
# its ordinary client, checked against tools/deps/, and kept, so that nothing is fetched twice.

offline_ways=('Without network: build once where there is one, run `make deps-archive` there,'
  'and start here with `make build DEPS_ARCHIVE=FILE`.')

crate_dir=$deps/src/$AERON_CRATE-$AERON_CRATE_VERSION
aeron_src=$deps/src/aeron # a symbolic link: to the crate's folder or to TENSORPOOL_AERON_SOURCE
sbe_jar=$deps/sbe/$SBE_ARTIFACT-$SBE_VERSION.jar
wheels=$deps/wheels

tree_sha256() {
  (cd "$1" && find . -type f ! -path '*/.*' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -d ' ' -f 1)
}

expect_sha256() { # expect_sha256 WHAT FOUND WANTED
  [ "$2" = "$3" ] || die "$1 has SHA-256 $2, expected $3" \
    'The download is damaged or not what this version of tensorpool was tried with; delete it and start again.' \
    'If the version was raised on purpose, change tools/deps/versions.sh.'
}

# find_cargo: prints a cargo that is new enough; fails when there is none.
find_cargo() {
  local cargo version
  for cargo in cargo "${HOME:-}/.cargo/bin/cargo" $(compgen -c cargo-1. | sort -urV); do
    version=$("$cargo" --version 2>/dev/null | cut -d ' ' -f 2) || continue
    if at_least "$CARGO_MINIMUM" "$version"; then printf '%s\n' "$cargo"; return; fi
  done
  return 1
}

# The package that brings such a cargo: Debian's cargo-web, or a versioned one as Ubuntu has them.
cargo_package() {
  local name
  for name in cargo-web $(apt-cache search --names-only '^cargo-1\.[0-9]+$' 2>/dev/null | cut -d ' ' -f 1 | sort -rV || true); do
    case $name in cargo-1.*) at_least "$CARGO_MINIMUM" "${name#cargo-}" || continue ;; esac
    if apt-cache show "$name" >/dev/null 2>&1; then printf '%s\n' "$name"; return; fi
  done
  return 1
}

# Packages that are needed only as long as something is to be fetched or run with them; one a line.
fetch_packages() {
  have java || printf 'default-jre-headless\n'
  have_sbe || have mvn || printf 'maven\n'
  ! need_cargo || cargo_package || true
}

# check_tools: the tools that a package may not bring are there and new enough. Before anything is fetched.
check_tools() {
  local java
  java=$(java -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p' | head -n 1) || true
  at_least "$JAVA_MINIMUM" "${java:-0}" || die "the SBE tool needs Java $JAVA_MINIMUM or later; found: ${java:-none}" \
    'Install default-jre-headless, or put a newer java first on PATH.'
  have_sbe || have mvn || die 'the SBE tool comes through Maven, but there is no mvn' 'Install maven.' "${offline_ways[@]}"
  ! need_cargo || die \
    "Aeron's sources come through cargo $CARGO_MINIMUM or later; found: $(cargo --version 2>/dev/null || echo none)" \
    'Ways out: install a newer Rust toolchain; or give a source tree, TENSORPOOL_AERON_SOURCE=DIR;' \
    'or an archive packed on another machine with `make deps-archive`, DEPS_ARCHIVE=FILE.'
}

have_sbe() { is_done sbe "$SBE_VERSION $SBE_SHA256" "$sbe_jar"; }
have_crate() { is_done aeron-source "$AERON_CRATE $AERON_CRATE_VERSION $AERON_TREE_SHA256" "$crate_dir"; }
have_aeron_source() { [ -n "${TENSORPOOL_AERON_SOURCE:-}" ] || have_crate; }
need_cargo() { ! have_aeron_source && ! find_cargo >/dev/null; }
have_wheels() { is_done wheels "$(wheels_key)" "$wheels"; }
wheels_key() { sha256sum "$root/tools/deps/wheels.txt" | cut -d ' ' -f 1; }

fetch_aeron() {
  local work
  if [ -n "${TENSORPOOL_AERON_SOURCE:-}" ]; then
    [ -f "$TENSORPOOL_AERON_SOURCE/aeron-driver/src/main/c/CMakeLists.txt" ] ||
      die "TENSORPOOL_AERON_SOURCE=$TENSORPOOL_AERON_SOURCE is no Aeron source tree: it lacks aeron-driver/src/main/c" \
        'Give the folder that an Aeron release unpacks to, or unset the variable to use the bundled sources.'
    mkdir -p "$deps/src"
    ln -sfn "$(cd "$TENSORPOOL_AERON_SOURCE" && pwd)" "$aeron_src"
    return
  fi
  if ! have_crate; then
    say "Fetching the sources of Aeron $AERON_VERSION (crate $AERON_CRATE $AERON_CRATE_VERSION)"
    work=$(fresh_tmp aeron-crate)
    mkdir "$work/src"
    : >"$work/src/lib.rs"
    printf '%s\n' '[package]' 'name = "fetch"' 'version = "0.0.0"' 'edition = "2021"' '[dependencies]' \
      "$AERON_CRATE = { version = \"=$AERON_CRATE_VERSION\", default-features = false }" >"$work/Cargo.toml"
    (cd "$work" && run_logged cargo-vendor "$(find_cargo)" vendor --versioned-dirs --color never vendored) ||
      die "cargo could not fetch the crate $AERON_CRATE $AERON_CRATE_VERSION" "${offline_ways[@]}" \
        'Or give a source tree: TENSORPOOL_AERON_SOURCE=DIR.'
    keep_aeron_crate "$work/vendored/${crate_dir##*/}"
  fi
  ln -sfn "${crate_dir##*/}/aeron" "$aeron_src"
}

# keep_aeron_crate DIR: checks a vendored crate, then makes it ours.
keep_aeron_crate() {
  local found
  found=$(sed -n 's/.*"package":"\([0-9a-f]*\)".*/\1/p' "$1/.cargo-checksum.json")
  expect_sha256 "the crate $AERON_CRATE $AERON_CRATE_VERSION" "$found" "$AERON_CRATE_SHA256"
  expect_sha256 "Aeron's source tree" "$(tree_sha256 "$1/aeron")" "$AERON_TREE_SHA256"
  undo aeron-source
  mkdir -p "$deps/src"
  rm -rf "$crate_dir"
  mv "$1" "$crate_dir"
  mark_done aeron-source "$AERON_CRATE $AERON_CRATE_VERSION $AERON_TREE_SHA256"
}

fetch_sbe() {
  local work
  have_sbe && return
  say "Fetching the SBE tool $SBE_VERSION ($SBE_GROUP:$SBE_ARTIFACT)"
  work=$(fresh_tmp sbe)
  run_logged maven mvn -B -ntp dependency:copy "-Dartifact=$SBE_GROUP:$SBE_ARTIFACT:$SBE_VERSION" "-DoutputDirectory=$work" ||
    die "Maven could not fetch $SBE_GROUP:$SBE_ARTIFACT:$SBE_VERSION" "${offline_ways[@]}"
  keep_sbe "$work/${sbe_jar##*/}"
}

keep_sbe() {
  expect_sha256 "$SBE_ARTIFACT-$SBE_VERSION.jar" "$(sha256sum "$1" | cut -d ' ' -f 1)" "$SBE_SHA256"
  undo sbe
  rm -rf "$deps/sbe"
  mkdir -p "$deps/sbe"
  mv "$1" "$sbe_jar"
  mark_done sbe "$SBE_VERSION $SBE_SHA256"
}

fetch_wheels() {
  local work
  have_wheels && return
  say 'Fetching cmake and ninja (wheels, 30 MB)'
  work=$(fresh_tmp wheels)
  run_logged pip-download pip_in_venv download -q --only-binary=:all: --no-deps --require-hashes --retries 2 \
    -r "$root/tools/deps/wheels.txt" -d "$work" ||
    die 'pip could not fetch cmake and ninja' "${offline_ways[@]}"
  keep_wheels "$work"
}

keep_wheels() {
  undo wheels
  rm -rf "$wheels"
  mv "$1" "$wheels"
  mark_done wheels "$(wheels_key)"
}

# Test libraries for aarch64, unpacked and not installed: apt works on lists and a cache of its own, so that the system
# needs no second architecture.
fetch_aarch64_libraries() {
  local key work apt package
  local packages=(libgtest-dev libgmock-dev librapidcheck-dev)
  key="${packages[*]} $platform"
  is_done aarch64 "$key" "$deps/aarch64/usr/lib/aarch64-linux-gnu/librapidcheck.a" && return
  say "Fetching ${packages[*]} for aarch64"
  work=$(fresh_tmp aarch64)
  mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/root"
  apt=(apt-get -q -o APT::Architecture=arm64 -o APT::Architectures::=arm64 -o APT::Sandbox::User=
    -o "Dir::State::lists=$work/lists" -o Dir::State::status=/dev/null -o "Dir::Cache=$work/cache")
  { run_logged apt-aarch64-update "${apt[@]}" update &&
    (cd "$work" && run_logged apt-aarch64 "${apt[@]}" download "${packages[@]}"); } ||
    die 'apt-get could not fetch them' 'The sources of this system have to offer arm64; those of Debian do.'
  for package in "$work"/*.deb; do
    dpkg-deb -x "$package" "$work/root" || die "$package could not be unpacked"
  done
  undo aarch64
  rm -rf "$deps/aarch64"
  mv "$work/root" "$deps/aarch64"
  mark_done aarch64 "$key"
}
