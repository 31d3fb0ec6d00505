# shellcheck shell=bash disable=SC2034
# Shared by the scripts of this folder: where things are, how they speak, what counts as done.
#
# A step is done when its stamp holds the step's key (versions, options, hash of the recipe). The stamp is written last,
# after the output was renamed into place; everything before that happens in $deps/tmp and counts for nothing.

setup_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$setup_dir/../.." && pwd)
deps=${TENSORPOOL_DEPS_DIR:-$root/.deps}
case $deps in /*) ;; *) deps=$root/$deps ;; esac
tmp=$deps/tmp
logs=$deps/log
jobs=$(nproc)
export PATH="$deps/bin:$deps/cmake/bin:$PATH"

# shellcheck source=../deps/versions.sh
. "$root/tools/deps/versions.sh"

if [ -t 2 ]; then bold=$'\e[1m' plain=$'\e[0m'; else bold='' plain=''; fi
say() { printf '%s==> %s%s\n' "$bold" "$*" "$plain" >&2; }
note() { printf '    %s\n' "$*" >&2; }
die() {
  printf '\nset-up stopped: %s\n' "$1" >&2
  shift
  [ $# -eq 0 ] || printf '  %s\n' "$@" >&2
  exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# at_least WANTED FOUND: compares dotted versions.
at_least() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; }

is_done() { # is_done STEP KEY OUTPUT
  [ -e "$3" ] && [ "$(cat "$deps/stamps/$1" 2>/dev/null)" = "$2" ]
}

mark_done() { # mark_done STEP KEY
  mkdir -p "$deps/stamps"
  printf '%s\n' "$2" >"$deps/stamps/.$1.new"
  mv -f "$deps/stamps/.$1.new" "$deps/stamps/$1"
}

undo() { rm -f "$deps/stamps/$1"; } # undo STEP: before its output is touched

# fresh_tmp NAME: an empty folder for half-made things.
fresh_tmp() {
  rm -rf "${tmp:?}/$1"
  mkdir -p "$tmp/$1"
  printf '%s\n' "$tmp/$1"
}

# run_logged LOG COMMAND...: output goes to the log; of ninja's lines ([n/m] …) every tenth part is shown. Fails like the command.
run_logged() {
  local log=$logs/$1.log status=0
  shift
  mkdir -p "$logs"
  "$@" 2>&1 | tee "$log" | awk '
    match($0, /^\[[0-9]+\/[0-9]+\]/) {
      split(substr($0, 2, RLENGTH - 2), n, "/")
      tenth = int(10 * n[1] / n[2])
      if (tenth > shown) { printf "    %s of %s files\n", n[1], n[2]; fflush(); shown = tenth }
    }' >&2 || status=$?
  if [ "$status" -ne 0 ]; then
    tail -n 25 "$log" | sed 's/^/  | /' >&2
    note "whole log: $log"
  fi
  return "$status"
}
