#!/usr/bin/env bash
# The installed tp runs, and its man page and completions name every verb and every option that its help shows.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common.sh"

tp=$PREFIX/bin/tp
share=$PREFIX/share
page=$share/man/man1/tp.1
bash_file=$share/bash-completion/completions/tp
zsh_file=$share/zsh/site-functions/_tp
fish_file=$share/fish/vendor_completions.d/tp.fish

mapfile -t verbs < <("$tp" --help | sed -n '/^Subcommands:/,/^$/s/^  \([a-z]\+\) .*/\1/p')
[ "${#verbs[@]}" -ge 8 ] || fail "the help shows ${#verbs[@]} verbs: ${verbs[*]}"
options=0
for verb in "${verbs[@]}"; do
  grep -q "^\.SS \"tp ${verb}[ \"]" "$page" || fail "the man page lacks tp $verb"
  for file in "$bash_file" "$zsh_file" "$fish_file"; do
    grep -qw -- "$verb" "$file" || fail "$file lacks $verb"
  done
  section=$(sed -n "/^\.SS \"tp ${verb}[ \"]/,/^\.SS \"tp /p" "$page")
  zsh_function=$(sed -n "/^_tp_$verb()/,/^}/p" "$zsh_file")
  for option in $("$tp" "$verb" --help | sed -n 's/^ *\(-h,\)\?--\([a-z-]\+\).*/\2/p'); do
    options=$((options + 1))
    grep -q -- "' $verb') .*--$option " "$bash_file" || fail "$bash_file lacks $verb --$option"
    grep -q -- "^complete .*from ${verb}['; ].* -l $option " "$fish_file" || fail "$fish_file lacks $verb --$option"
    [[ $zsh_function == *"--$option"* ]] || fail "$zsh_file lacks $verb --$option"
    [ "$option" = help ] || [[ $section == *"\\-\\-${option//-/\\-}\\fR"* ]] || fail "the man page lacks tp $verb --$option"
  done
done
[ "$options" -ge 30 ] || fail "the help shows $options options"

# What the shells make of it, those that are here.
words=$(bash -c '. "$1"; COMP_WORDS=(tp pub --sim ra); COMP_CWORD=3; _tp tp ra --sim; echo "${COMPREPLY[@]}"' bash "$bash_file")
[ "$words" = ramp ] || fail "bash completes pub --sim ra to '$words'"
if command -v fish >/dev/null; then
  words=$(HOME=$work fish --no-config -c "source '$fish_file'; complete -C 'tp codec de'" | cut -f 1)
  [ "$words" = decode ] || fail "fish completes codec de to '$words'"
fi
if command -v zsh >/dev/null; then
  # shellcheck disable=SC2016
  words=$(zsh -fc 'fpath=($1 $fpath); autoload -U compinit; compinit -u -D; autoload +X _tp && print $_comps[tp]' zsh "${zsh_file%/*}")
  [ "$words" = _tp ] || fail "zsh completes tp by '$words'"
fi
if command -v groff >/dev/null; then
  trouble=$(groff -man -ww -Kutf8 -Tutf8 -z "$page" 2>&1)
  [ -z "$trouble" ] || fail "$trouble"
fi

frames=$("$tp" demo --seconds 1 --json | sed -n 's/.*"frames":\([0-9]*\).*/\1/p' | tail -n 1)
[ "${frames:-0}" -gt 0 ] || fail 'the installed demo received nothing'
