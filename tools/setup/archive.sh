# shellcheck shell=bash disable=SC2016,SC2034,SC2154
# `make deps-archive` packs what was fetched into one file; DEPS_ARCHIVE=FILE uses it instead of the network. Everything in
# it is checked on unpacking against tools/deps/, exactly as if it came from a registry. Debian packages are not in it.

pack_archive() { # pack_archive FILE
  local file=$1 list
  [ -z "${TENSORPOOL_AERON_SOURCE:-}" ] ||
    die 'an archive holds the bundled Aeron, but TENSORPOOL_AERON_SOURCE is set' 'Unset it, then start again.'
  fetch_aeron
  fetch_sbe
  fetch_wheels
  list=("src/${crate_dir##*/}" "sbe/${sbe_jar##*/}" wheels)
  say "Packing ${list[*]}"
  mkdir -p "$(dirname "$file")"
  tar -C "$deps" --sort=name --owner=0 --group=0 --numeric-owner -czf "$file.part" "${list[@]}"
  mv "$file.part" "$file"
  say "Wrote $file ($(du -h "$file" | cut -f 1))"
  note "On a machine like this one without network: make build DEPS_ARCHIVE=${file##*/}"
}

unpack_archive() { # unpack_archive FILE: nothing to do when all of it is there
  local file=${1/#"~/"/$HOME/} work part # make leaves ~ as it is
  [ -f "$file" ] || die "DEPS_ARCHIVE=$file: no such file" 'Give the path of a file that `make deps-archive` wrote.'
  have_crate && have_sbe && have_wheels && return
  say "Unpacking $file"
  work=$(fresh_tmp archive)
  tar -C "$work" -xzf "$file" --no-same-owner || die "$file could not be unpacked: damaged, or not from \`make deps-archive\`"
  for part in "src/${crate_dir##*/}" "sbe/${sbe_jar##*/}" wheels; do
    [ -e "$work/$part" ] || die "$file lacks $part" \
      'It was packed by another version of tensorpool: pack it again with `make deps-archive` of this one.'
  done
  keep_aeron_crate "$work/src/${crate_dir##*/}"
  keep_sbe "$work/sbe/${sbe_jar##*/}"
  keep_wheels "$work/wheels"
}
