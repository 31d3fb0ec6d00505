# shellcheck shell=bash disable=SC2016,SC2034,SC2154
# Debian and Ubuntu packages: looks what is missing, installs it as root or through sudo, else prints the line to type.
# Tried on a bare Debian 12, as root and as a user; on Ubuntu not yet.

packages_build=(g++ make pkg-config ccache binutils ca-certificates python3 python3-venv unzip util-linux libbsd-dev uuid-dev
  libexpected-dev libcli11-dev libfmt-dev nlohmann-json3-dev libtomlplusplus-dev libcfitsio-dev libpng-dev zlib1g-dev)
packages_test=(libgtest-dev libgmock-dev librapidcheck-dev relacy-dev libbenchmark-dev strace zsh fish groff-base)
packages_aarch64=(qemu-user g++-aarch64-linux-gnu)

# The clang to test with: an installed set of tools if there is one, else the release that the distribution's own
# package `clang` stands for (14 on Debian 12), else the newest on offer.
clang_version() {
  local version
  for version in $(dpkg-query -W -f='${db:Status-Abbrev}${Package}\n' 'clang-tidy-[0-9]*' 2>/dev/null |
    sed -n 's/^ii *clang-tidy-\([0-9]*\)$/\1/p' | sort -rn); do
    [ -n "$(missing_packages "clang-$version" "libclang-rt-$version-dev")" ] || { printf '%s\n' "$version"; return; }
  done
  have apt-cache || return 0
  version=$(apt-cache depends clang 2>/dev/null | sed -n 's/.*Depends: clang-\([0-9]*\)$/\1/p' | head -n 1)
  [ -n "$version" ] || version=$(apt-cache search --names-only '^clang-[0-9]+$' 2>/dev/null |
    sed -n 's/^clang-\([0-9]*\) .*/\1/p' | sort -rn | head -n 1)
  printf '%s\n' "$version"
}

clang_packages() { # clang_packages VERSION
  printf '%s\n' "clang-$1" "clang-tidy-$1" "clang-format-$1" "libclang-rt-$1-dev" "llvm-$1"
}

missing_packages() { # missing_packages PACKAGE...: one a line
  local package installed
  # dpkg-query fails as soon as it does not know one of them.
  installed=$(dpkg-query -W -f='${db:Status-Abbrev}${Package}\n' "$@" 2>/dev/null | sed -n 's/^ii *//p') || true
  for package in "$@"; do
    case $'\n'$installed$'\n' in *$'\n'"$package"$'\n'*) ;; *) printf '%s\n' "$package" ;; esac
  done
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi
}

can_be_root() {
  [ "$(id -u)" -eq 0 ] || { have sudo && sudo -n true 2>/dev/null; }
}

refresh_lists() { # once a run
  [ -z "${lists_fresh:-}" ] || return 0
  lists_fresh=1
  say 'Refreshing the list of Debian packages'
  run_logged apt-update as_root apt-get update -q || note 'that failed; going on with the lists that are there'
}

# know_packages: before asking apt-cache what is on offer. A fresh machine or container has no lists.
know_packages() {
  have apt-cache && [ -z "${TENSORPOOL_SKIP_PACKAGES:-}" ] || return 0
  ! compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null || return 0
  can_be_root || die 'the list of Debian packages is empty here. Type this, then start again:' 'sudo apt-get update'
  refresh_lists
}

# ensure_packages WHAT PACKAGE...: they are installed when this returns.
ensure_packages() {
  local what=$1 missing
  shift
  if ! have dpkg-query; then
    [ -n "${TENSORPOOL_SKIP_PACKAGES:-}" ] || die "this is not a Debian or Ubuntu system: no dpkg-query" \
      "Install the equivalents of: $*" 'and start again with TENSORPOOL_SKIP_PACKAGES=1.'
    return 0
  fi
  mapfile -t missing < <(missing_packages "$@")
  [ "${#missing[@]}" -gt 0 ] || return 0
  if [ -n "${TENSORPOOL_SKIP_PACKAGES:-}" ]; then
    note "TENSORPOOL_SKIP_PACKAGES is set; going on without: ${missing[*]}"
    return 0
  fi
  can_be_root || die "${#missing[@]} Debian packages $what are missing. Type this, then start again:" \
    "sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}"
  refresh_lists
  say "Installing ${#missing[@]} Debian packages $what"
  note "${missing[*]}"
  run_logged apt-install as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -q --no-install-recommends --no-remove "${missing[@]}" ||
    die "apt-get could not install: ${missing[*]}" 'The lines above say why. They are the one thing that an archive of DEPS_ARCHIVE does not hold.'
}
