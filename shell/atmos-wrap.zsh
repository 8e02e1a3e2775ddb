# The hook of atmos-wrap for zsh. Load it with: eval "$(atmos-wrap hook zsh)"
# At a prompt nothing is started unless the directory is new or a file that matters has changed.
# It is read by `emulate zsh -c`: each function then runs as plain zsh, whatever the user has set.
# Every name here begins with _atmos_wrap: a `readonly` variable of the user's must not stop us.

# Loaded again: what the one before has set is given back by its own rules.
((!$+functions[_atmos_wrap_leave])) || _atmos_wrap_leave
typeset -g _atmos_wrap_python='@PYTHON@' _atmos_wrap_start='@START@' _atmos_wrap_texts='@TEXTS@' _atmos_wrap_form='@FORM@'
builtin export ATMOS_WRAP_HOOK='zsh:'$$':@VERSION@'
# The directory and the wishes that the answer is for, and of which kind it is.
typeset -g _atmos_wrap_holds= _atmos_wrap_kind= _atmos_wrap_off= _atmos_wrap_said= _atmos_wrap_adopted=
# The nearest directory with a configuration, and the one whose answer for all below it is taken.
typeset -g _atmos_wrap_base= _atmos_wrap_above=
# The answer of the last look, as `hook-env` left it; see wrapper/hook/code.py.
typeset -g _atmos_wrap_new_form= _atmos_wrap_new_asked= _atmos_wrap_new_apart= _atmos_wrap_new_root= _atmos_wrap_new_say=
typeset -g _atmos_wrap_new_expires=0 _atmos_wrap_new_told=
typeset -ga _atmos_wrap_new_names _atmos_wrap_new_values _atmos_wrap_new_gone
# What is ours: name, what it got (`=value`, nothing for unset), what it was (`-value`: unexported).
typeset -ga _atmos_wrap_names _atmos_wrap_ours _atmos_wrap_olds
zmodload -e zsh/datetime || zmodload zsh/datetime 2>/dev/null || true
zmodload -e zsh/parameter || zmodload zsh/parameter

_atmos_wrap_hook() {
  builtin setopt local_options no_xtrace
  _atmos_wrap_look
  return 0
}

_atmos_wrap_look() {
  local _atmos_wrap_asked="${ATMOS_IDENTITY-}|${ATMOS_PROFILE-}|${ATMOS_STACK-}|${ATMOS_BASE_PATH-}|${ATMOS_CLI_CONFIG_PATH-}|${ATMOS_CONFIG-}|${ATMOS_CONFIG_PATH-}|${ATMOS_WRAP_USE-}|${HOME-}|${XDG_STATE_HOME-}|${XDG_CONFIG_HOME-}"
  if [[ "$PWD|$_atmos_wrap_asked" == "$_atmos_wrap_holds" && . -ef $PWD ]] && _atmos_wrap_fresh; then
    return 0
  fi
  [[ -z $_atmos_wrap_off ]] || return 0
  [[ -n $_atmos_wrap_adopted ]] || _atmos_wrap_adopt
  _atmos_wrap_leave
  _atmos_wrap_holds=
  # The directory may be gone, or another one have its name.
  [[ . -ef $PWD ]] || return 0
  _atmos_wrap_kind=text
  if ! _atmos_wrap_known; then
    if ! _atmos_wrap_inside; then
      _atmos_wrap_kind=none _atmos_wrap_holds="$PWD|$_atmos_wrap_asked"
      return 0
    fi
    _atmos_wrap_shared || _atmos_wrap_ask || return 0
  fi
  _atmos_wrap_holds="$PWD|$_atmos_wrap_asked"
  _atmos_wrap_enter
}

# Succeed if the answer still holds.
_atmos_wrap_fresh() {
  case $_atmos_wrap_kind in
    (text | below)
      _atmos_wrap_test || return 1
      [[ $_atmos_wrap_kind == text ]] || { _atmos_wrap_inside && [[ $_atmos_wrap_base == "$_atmos_wrap_above" ]] } || return 1
      [[ $_atmos_wrap_new_expires == 0 || -z ${EPOCHSECONDS-} ]] || ((EPOCHSECONDS < _atmos_wrap_new_expires))
      ;;
    (none) ! _atmos_wrap_inside ;;
    (failed) ;;
  esac
}

# Succeed if this directory has a text that still holds; it is read.
_atmos_wrap_known() {
  _atmos_wrap_read "$_atmos_wrap_texts${PWD%/}/=env" && _atmos_wrap_fresh
}

# Read a text that was asked for as now. What others could have put there is not: neither a file
# nor a directory of theirs, nor a link to another file of ours.
_atmos_wrap_read() {
  [[ $PWD/ != */../* && -f $1 && -O $1 && ! -L $1 && -O $_atmos_wrap_texts ]] || return 1
  _atmos_wrap_new_form=
  builtin source "$1" 2>/dev/null
  # A text that is torn lacks its last line.
  [[ $_atmos_wrap_new_form == "$_atmos_wrap_form" && $_atmos_wrap_new_asked == "$_atmos_wrap_asked" ]]
}

# Succeed if what holds in all directories below the nearest with a configuration holds here: then
# nothing between the two says otherwise, and no link leads here.
_atmos_wrap_shared() {
  local _atmos_wrap_dir=${PWD%/}
  [[ $#_atmos_wrap_dir -gt $#_atmos_wrap_base && -f $_atmos_wrap_texts$_atmos_wrap_base/=below ]] || return 1
  while [[ $#_atmos_wrap_dir -gt $#_atmos_wrap_base ]]; do
    [[ ! -L $_atmos_wrap_dir && ! -e $_atmos_wrap_dir/.git && ! -L $_atmos_wrap_dir/.git && ! -e $_atmos_wrap_dir/.atmos && ! -e $_atmos_wrap_dir/.atmos.d && ! -e $_atmos_wrap_dir/atmos.d ]] || return 1
    _atmos_wrap_dir=${_atmos_wrap_dir%/*}
  done
  _atmos_wrap_read "$_atmos_wrap_texts$_atmos_wrap_base/=below" || return 1
  [[ $PWD/ != "${_atmos_wrap_new_apart:-/../}"/* ]] || return 1
  _atmos_wrap_kind=below _atmos_wrap_above=$_atmos_wrap_base
  if ! _atmos_wrap_fresh; then
    _atmos_wrap_kind=text
    return 1
  fi
}

# Succeed if there is a configuration here or above.
_atmos_wrap_inside() {
  local _atmos_wrap_dir=${PWD%/}
  while [[ ! -e $_atmos_wrap_dir/atmos.yaml && ! -e $_atmos_wrap_dir/.atmos.yaml && ! -e $_atmos_wrap_dir/atmos.yml && ! -e $_atmos_wrap_dir/.atmos.yml && ! -e $_atmos_wrap_dir/.atmos-wrap.yaml ]]; do
    [[ -n $_atmos_wrap_dir ]] || return 1
    _atmos_wrap_dir=${_atmos_wrap_dir%/*}
  done
  _atmos_wrap_base=$_atmos_wrap_dir
}

# Ask for this directory. Where that fails, it is asked again when something else is wished.
_atmos_wrap_ask() {
  local _atmos_wrap_text
  integer _atmos_wrap_failed=0
  _atmos_wrap_text=$("$_atmos_wrap_python" -I -S -c "$_atmos_wrap_start" hook-env zsh "$PWD" "$_atmos_wrap_form") || _atmos_wrap_failed=$?
  if ((!_atmos_wrap_failed)); then
    builtin eval "$_atmos_wrap_text"
    return
  fi
  # What a signal ended is asked again at the next prompt.
  ((_atmos_wrap_failed > 128)) || _atmos_wrap_kind=failed _atmos_wrap_holds="$PWD|$_atmos_wrap_asked"
  return 1
}

# Give every variable back what it was, if it still holds what we gave it.
_atmos_wrap_leave() {
  local _atmos_wrap_n _atmos_wrap_now
  integer _atmos_wrap_i
  for ((_atmos_wrap_i = $#_atmos_wrap_names; _atmos_wrap_i > 0; _atmos_wrap_i--)); do
    _atmos_wrap_n=$_atmos_wrap_names[_atmos_wrap_i]
    _atmos_wrap_now=
    ((!${(P)+_atmos_wrap_n})) || _atmos_wrap_now="=${(P)_atmos_wrap_n}"
    [[ $_atmos_wrap_now == "$_atmos_wrap_ours[_atmos_wrap_i]" && ${(Pt)_atmos_wrap_n-} != *readonly* ]] || continue
    case ${_atmos_wrap_olds[_atmos_wrap_i]-} in
      ("="*) builtin export "$_atmos_wrap_n=${_atmos_wrap_olds[_atmos_wrap_i]#=}" ;;
      ("-"*) builtin typeset -g +x "$_atmos_wrap_n=${_atmos_wrap_olds[_atmos_wrap_i]#-}" ;;
      (*) builtin unset "$_atmos_wrap_n" ;;
    esac
  done
  _atmos_wrap_names=() _atmos_wrap_ours=() _atmos_wrap_olds=()
  builtin unset ATMOS_WRAP_STATE
}

_atmos_wrap_enter() {
  local _atmos_wrap_i
  if _atmos_wrap_free; then
    # None of the names is in use: there is nothing to remember.
    _atmos_wrap_names=("${_atmos_wrap_new_names[@]}")
    _atmos_wrap_ours=("${_atmos_wrap_new_values[@]}")
    _atmos_wrap_give
    [[ -z $_atmos_wrap_new_told ]] || builtin export ATMOS_WRAP_STATE="1|$$$_atmos_wrap_new_told"
  else
    _atmos_wrap_list
    for _atmos_wrap_i in "${_atmos_wrap_new_gone[@]}" "${_atmos_wrap_new_names[@]}"; do
      if [[ ${(Pt)_atmos_wrap_i-} == *readonly* ]]; then
        _atmos_wrap_new_say="atmos-wrap: $_atmos_wrap_i is readonly in this shell: nothing is set"
        _atmos_wrap_new_gone=() _atmos_wrap_new_names=()
        break
      fi
    done
    for _atmos_wrap_i in "${_atmos_wrap_new_gone[@]}"; do
      ((!${(P)+_atmos_wrap_i})) || _atmos_wrap_own "$_atmos_wrap_i" ''
    done
    for ((_atmos_wrap_i = 1; _atmos_wrap_i <= $#_atmos_wrap_new_names; _atmos_wrap_i++)); do
      _atmos_wrap_own "$_atmos_wrap_new_names[_atmos_wrap_i]" "$_atmos_wrap_new_values[_atmos_wrap_i]"
    done
    _atmos_wrap_state
  fi
  if [[ $_atmos_wrap_said != "$_atmos_wrap_new_root|$_atmos_wrap_new_say" ]]; then
    _atmos_wrap_said="$_atmos_wrap_new_root|$_atmos_wrap_new_say"
    [[ -z $_atmos_wrap_new_say ]] || builtin print -r -- "$_atmos_wrap_new_say" >&2
  fi
}

# Remember what a variable holds, and give it what it gets: `=value`, or nothing for unset.
_atmos_wrap_own() {
  local _atmos_wrap_old=
  if ((${(P)+1})); then
    _atmos_wrap_old="-${(P)1}"
    [[ ${(Pt)1} != *export* ]] || _atmos_wrap_old="=${_atmos_wrap_old#-}"
  fi
  _atmos_wrap_names+=("$1")
  _atmos_wrap_ours+=("$2")
  _atmos_wrap_olds+=("$_atmos_wrap_old")
  if [[ $2 == "="* ]]; then
    builtin export "$1=${2#=}"
  else
    builtin unset "$1"
  fi
}

# Tell shells that start here which variables are ours. Old values of secrets are not told.
_atmos_wrap_state() {
  local _atmos_wrap_told="1|$$" _atmos_wrap_v _atmos_wrap_old
  integer _atmos_wrap_i
  (($#_atmos_wrap_names)) || return 0
  for ((_atmos_wrap_i = 1; _atmos_wrap_i <= $#_atmos_wrap_names; _atmos_wrap_i++)); do
    _atmos_wrap_old=$_atmos_wrap_olds[_atmos_wrap_i]
    case $_atmos_wrap_names[_atmos_wrap_i] in
      (*KEY*|*SECRET*|*TOKEN*|*PASSWORD*|*CREDENTIAL*) _atmos_wrap_old= ;;
    esac
    [[ $_atmos_wrap_old != -* ]] || _atmos_wrap_old=
    _atmos_wrap_v=${${${${_atmos_wrap_ours[_atmos_wrap_i]//\%/%25}//|/%7C}//\\/%5C}//$'\n'/%0A}
    _atmos_wrap_old=${${${${_atmos_wrap_old//\%/%25}//|/%7C}//\\/%5C}//$'\n'/%0A}
    _atmos_wrap_told+="|$_atmos_wrap_names[_atmos_wrap_i]|$_atmos_wrap_v|$_atmos_wrap_old"
  done
  builtin export ATMOS_WRAP_STATE=$_atmos_wrap_told
}

# Take over what the shell that started this one had set. Names are checked, values stay values.
_atmos_wrap_adopt() {
  _atmos_wrap_adopted=1
  # Ours is far shorter; to take a longer one apart would keep the prompt waiting.
  [[ ${ATMOS_WRAP_STATE-} == 1\|*\|* && ${#ATMOS_WRAP_STATE} -le 16384 ]] || return 0
  local -a _atmos_wrap_fields
  local _atmos_wrap_n _atmos_wrap_v _atmos_wrap_old
  integer _atmos_wrap_i
  _atmos_wrap_fields=("${(@s:|:)ATMOS_WRAP_STATE}")
  for ((_atmos_wrap_i = 3; _atmos_wrap_i + 2 <= $#_atmos_wrap_fields; _atmos_wrap_i += 3)); do
    _atmos_wrap_n=$_atmos_wrap_fields[_atmos_wrap_i]
    [[ $_atmos_wrap_n =~ '^(AWS|AMAZON|ARM|AZURE|GOOGLE|GCLOUD|GCP|CLOUDSDK|ATMOS_WRAP|BOTO)_?[A-Z0-9_]*$' ]] || continue
    builtin printf -v _atmos_wrap_v '%b' "${_atmos_wrap_fields[_atmos_wrap_i+1]//\%/\\x}"
    builtin printf -v _atmos_wrap_old '%b' "${_atmos_wrap_fields[_atmos_wrap_i+2]//\%/\\x}"
    _atmos_wrap_names+=("$_atmos_wrap_n") _atmos_wrap_ours+=("$_atmos_wrap_v") _atmos_wrap_olds+=("$_atmos_wrap_old")
  done
}

# Look at this directory now, as at a prompt.
_atmos_wrap_again() {
  _atmos_wrap_off= _atmos_wrap_holds=
  _atmos_wrap_look
}

# Change this shell's pin, switch the hook off and on.
atmos-wrap() {
  local _atmos_wrap_pin
  case ${1-} in
    (use)
      if ((${@[(Ie)--help]} || ${@[(Ie)-h]})); then
        builtin command atmos-wrap "$@"
        return
      fi
      if [[ ${2-} == - ]]; then
        _atmos_wrap_pin=${_atmos_wrap_before-}
      else
        _atmos_wrap_pin=$("$_atmos_wrap_python" -E -P -m wrapper hook-use "${@:2}") || return
      fi
      typeset -g _atmos_wrap_before=${ATMOS_WRAP_USE-}
      if [[ -n $_atmos_wrap_pin ]]; then
        builtin export ATMOS_WRAP_USE=$_atmos_wrap_pin
      else
        builtin unset ATMOS_WRAP_USE
      fi
      _atmos_wrap_again
      ;;
    (deactivate)
      _atmos_wrap_leave
      _atmos_wrap_off=1 _atmos_wrap_holds=
      ;;
    (reload)
      _atmos_wrap_said=
      _atmos_wrap_inside || true
      builtin command rm -f -- "$_atmos_wrap_texts${PWD%/}/=env" "$_atmos_wrap_texts$_atmos_wrap_base/=below"
      _atmos_wrap_again
      ;;
    (*) builtin command atmos-wrap "$@" ;;
  esac
}

typeset -ga precmd_functions
if ((!${precmd_functions[(Ie)_atmos_wrap_hook]})); then
  precmd_functions=(_atmos_wrap_hook $precmd_functions)
fi
