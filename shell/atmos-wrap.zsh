# The hook of atmos-wrap for zsh. Load it with: eval "$(atmos-wrap hook zsh)"
# At a prompt nothing is started unless the directory is new or a file that matters has changed.

typeset -g _atmos_wrap_python='@PYTHON@' _atmos_wrap_texts='@TEXTS@'
# What holds now, as `hook-env` put it; see wrapper/hook/answer.py.
typeset -g _atmos_wrap_here= _atmos_wrap_said= _atmos_wrap_off= _atmos_wrap_adopted= _atmos_wrap_before=
typeset -g _atmos_wrap_new_form= _atmos_wrap_new_root= _atmos_wrap_new_stamp= _atmos_wrap_new_asked=
typeset -g _atmos_wrap_new_expires=0 _atmos_wrap_new_say=
typeset -ga _atmos_wrap_new_set _atmos_wrap_new_unset _atmos_wrap_new_prefixes
typeset -ga _atmos_wrap_new_watch _atmos_wrap_new_absent
# The variables that are ours: name, what we gave (`=value`, empty for unset), what was there.
typeset -ga _atmos_wrap_names _atmos_wrap_ours _atmos_wrap_olds
builtin export ATMOS_WRAP_HOOK=zsh:$$
zmodload -e zsh/datetime || zmodload zsh/datetime 2>/dev/null || true

_atmos_wrap_hook() {
  emulate -L zsh
  _atmos_wrap_step
  return 0
}

_atmos_wrap_step() {
  emulate -L zsh
  [[ -z $_atmos_wrap_off ]] || return 0
  local asked="${ATMOS_IDENTITY-}|${ATMOS_PROFILE-}|${ATMOS_STACK-}|${ATMOS_BASE_PATH-}|${ATMOS_CLI_CONFIG_PATH-}|${ATMOS_WRAP_USE-}|${HOME-}|${XDG_STATE_HOME-}|${XDG_CONFIG_HOME-}"
  if [[ $PWD == "$_atmos_wrap_here" && . -ef $PWD ]] && _atmos_wrap_fresh "$asked"; then
    return 0
  fi
  [[ -n $_atmos_wrap_adopted ]] || _atmos_wrap_adopt
  if [[ ! . -ef $PWD ]]; then
    # The directory is gone, or another one has its name.
    _atmos_wrap_leave
    _atmos_wrap_here=
    return 0
  fi
  if ! _atmos_wrap_known "$asked"; then
    _atmos_wrap_leave
    if ! _atmos_wrap_inside; then
      _atmos_wrap_none "$asked"
      return 0
    fi
    _atmos_wrap_ask || return 0
  fi
  _atmos_wrap_leave
  _atmos_wrap_enter
}

# Succeed if the answer still holds.
_atmos_wrap_fresh() {
  emulate -L zsh
  local file
  [[ $1 == "$_atmos_wrap_new_asked" ]] || return 1
  if [[ -n $_atmos_wrap_new_stamp ]]; then
    for file in "${_atmos_wrap_new_watch[@]}"; do
      [[ -e $file && ! $file -nt $_atmos_wrap_new_stamp ]] || return 1
    done
  fi
  for file in "${_atmos_wrap_new_absent[@]}"; do
    [[ ! -e $file ]] || return 1
  done
  [[ $_atmos_wrap_new_expires == 0 || -z ${EPOCHSECONDS-} ]] ||
    ((EPOCHSECONDS < _atmos_wrap_new_expires))
}

# Succeed if this directory has a text that still holds; it is read.
_atmos_wrap_known() {
  emulate -L zsh
  local text="$_atmos_wrap_texts${PWD%/}/=env"
  [[ $PWD/ != */../* && -f $text && -O $text ]] || return 1
  builtin source "$text" || return 1
  _atmos_wrap_fresh "$1"
}

# Succeed if there is a configuration here or above.
_atmos_wrap_inside() {
  emulate -L zsh
  local here=${PWD%/}
  while :; do
    if [[ -e $here/atmos.yaml || -e $here/.atmos.yaml || -e $here/atmos.yml || -e $here/.atmos.yml || -e $here/.atmos-wrap.yaml ]]; then
      return 0
    fi
    [[ -n $here ]] || return 1
    here=${here%/*}
  done
}

# Note that there is nothing here.
_atmos_wrap_none() {
  emulate -L zsh
  local here=${PWD%/}
  _atmos_wrap_here=$PWD _atmos_wrap_new_asked=$1 _atmos_wrap_new_stamp= _atmos_wrap_new_expires=0
  _atmos_wrap_new_root= _atmos_wrap_new_say=
  _atmos_wrap_new_watch=() _atmos_wrap_new_absent=()
  while :; do
    _atmos_wrap_new_absent+=("$here/atmos.yaml" "$here/.atmos.yaml" "$here/atmos.yml" "$here/.atmos.yml" "$here/.atmos-wrap.yaml")
    [[ -n $here ]] || break
    here=${here%/*}
  done
}

# Ask for this directory.
_atmos_wrap_ask() {
  emulate -L zsh
  local text
  text=$("$_atmos_wrap_python" -E -P -m wrapper hook-env zsh "$PWD") || return 1
  builtin eval "$text"
}

# Give every variable back what it was, if it still holds what we gave it.
_atmos_wrap_leave() {
  emulate -L zsh
  local i name now
  for ((i = 1; i <= $#_atmos_wrap_names; i++)); do
    name=$_atmos_wrap_names[i]
    now=
    ((!${(P)+name})) || now="=${(P)name}"
    [[ $now == "$_atmos_wrap_ours[i]" ]] || continue
    if [[ $_atmos_wrap_olds[i] == "="* ]]; then
      builtin export "$name=${_atmos_wrap_olds[i]#=}"
    else
      builtin unset "$name"
    fi
  done
  _atmos_wrap_names=() _atmos_wrap_ours=() _atmos_wrap_olds=()
  builtin unset ATMOS_WRAP_STATE
}

# Remember what a variable holds, and give it what it gets: `=value`, or nothing for unset.
_atmos_wrap_own() {
  emulate -L zsh
  local old=
  ((!${(P)+1})) || old="=${(P)1}"
  _atmos_wrap_names+=("$1")
  _atmos_wrap_ours+=("$2")
  _atmos_wrap_olds+=("$old")
  if [[ $2 == "="* ]]; then
    builtin export "$1=${2#=}"
  else
    builtin unset "$1"
  fi
}

_atmos_wrap_enter() {
  emulate -L zsh
  local i name prefix
  _atmos_wrap_here=$PWD
  for name in "${_atmos_wrap_new_unset[@]}"; do
    ((!${(P)+name})) || _atmos_wrap_own "$name" ''
  done
  for prefix in "${_atmos_wrap_new_prefixes[@]}"; do
    for name in "${(@k)parameters[(I)${(b)prefix}*]}"; do
      _atmos_wrap_own "$name" ''
    done
  done
  for ((i = 1; i < $#_atmos_wrap_new_set; i += 2)); do
    _atmos_wrap_own "$_atmos_wrap_new_set[i]" "=$_atmos_wrap_new_set[i+1]"
  done
  _atmos_wrap_state
  if [[ $_atmos_wrap_said != "$_atmos_wrap_new_root|$_atmos_wrap_new_say" ]]; then
    _atmos_wrap_said="$_atmos_wrap_new_root|$_atmos_wrap_new_say"
    [[ -z $_atmos_wrap_new_say ]] || builtin print -r -- "$_atmos_wrap_new_say" >&2
  fi
}

# Tell shells that start here which variables are ours. Old values of secrets are not told.
_atmos_wrap_state() {
  emulate -L zsh
  local i state="1|$$" ours old
  (($#_atmos_wrap_names)) || return 0
  for ((i = 1; i <= $#_atmos_wrap_names; i++)); do
    old=$_atmos_wrap_olds[i]
    case $_atmos_wrap_names[i] in
      (*KEY*|*SECRET*|*TOKEN*|*PASSWORD*|*CREDENTIAL*) old= ;;
    esac
    ours=${${${${_atmos_wrap_ours[i]//\%/%25}//|/%7C}//\\/%5C}//$'\n'/%0A}
    old=${${${${old//\%/%25}//|/%7C}//\\/%5C}//$'\n'/%0A}
    state+="|$_atmos_wrap_names[i]|$ours|$old"
  done
  builtin export ATMOS_WRAP_STATE=$state
}

# Take over what the shell that started this one had set. Names are checked, values stay values.
_atmos_wrap_adopt() {
  emulate -L zsh
  _atmos_wrap_adopted=1
  [[ ${ATMOS_WRAP_STATE-} == 1\|*\|* ]] || return 0
  local -a fields
  local i name ours old
  fields=("${(@s:|:)ATMOS_WRAP_STATE}")
  for ((i = 3; i + 2 <= $#fields; i += 3)); do
    name=$fields[i]
    [[ $name =~ '^(AWS|AMAZON|ARM|AZURE|GOOGLE|GCLOUD|GCP|CLOUDSDK|ATMOS_WRAP|BOTO)_?[A-Z0-9_]*$' ]] || continue
    builtin printf -v ours '%b' "${fields[i+1]//\%/\\x}"
    builtin printf -v old '%b' "${fields[i+2]//\%/\\x}"
    _atmos_wrap_names+=("$name") _atmos_wrap_ours+=("$ours") _atmos_wrap_olds+=("$old")
  done
}

# Change this shell's pin, switch the hook off and on.
atmos-wrap() {
  emulate -L zsh
  local pin
  case ${1-} in
    (use)
      if (( ${@[(Ie)--help]} || ${@[(Ie)-h]} )); then
        command atmos-wrap "$@"
        return
      fi
      if [[ ${2-} == - ]]; then
        pin=$_atmos_wrap_before
      else
        pin=$("$_atmos_wrap_python" -E -P -m wrapper hook-use "${@:2}") || return
      fi
      _atmos_wrap_before=${ATMOS_WRAP_USE-}
      if [[ -n $pin ]]; then
        builtin export ATMOS_WRAP_USE=$pin
      else
        builtin unset ATMOS_WRAP_USE
      fi
      _atmos_wrap_off= _atmos_wrap_here=
      _atmos_wrap_step
      ;;
    (deactivate)
      _atmos_wrap_leave
      _atmos_wrap_off=1
      ;;
    (reload)
      _atmos_wrap_off= _atmos_wrap_here= _atmos_wrap_said=
      command rm -f -- "$_atmos_wrap_texts${PWD%/}/=env"
      _atmos_wrap_step
      ;;
    (*) command atmos-wrap "$@" ;;
  esac
}

typeset -ga precmd_functions
if ((!${precmd_functions[(Ie)_atmos_wrap_hook]})); then
  precmd_functions=(_atmos_wrap_hook $precmd_functions)
fi
