# The hook of atmos-wrap for bash, 3.2 and later. Load it with: eval "$(atmos-wrap hook bash)"
# At a prompt nothing is started unless the directory is new or a file that matters has changed.

# Answer of the last look, as assignments of `hook-env` left it; see wrapper/hook/answer.py.
_atmos_wrap_python='@PYTHON@'
_atmos_wrap_texts='@TEXTS@'
export ATMOS_WRAP_HOOK="bash:$$"
_atmos_wrap_here=
_atmos_wrap_said=
_atmos_wrap_new_asked=
_atmos_wrap_new_stamp=
_atmos_wrap_new_expires=0
_atmos_wrap_new_root=
_atmos_wrap_new_say=
_atmos_wrap_new_set=()
_atmos_wrap_new_unset=()
_atmos_wrap_new_prefixes=()
_atmos_wrap_new_watch=()
_atmos_wrap_new_absent=()
_atmos_wrap_names=()
_atmos_wrap_ours=()
_atmos_wrap_olds=()

_atmos_wrap_hook() {
	local _atmos_wrap_status=$?
	_atmos_wrap_step || :
	[[ $- == *e* ]] || return "$_atmos_wrap_status"
}

_atmos_wrap_step() {
	[ -z "${_atmos_wrap_off-}" ] || return 0
	local asked="${ATMOS_IDENTITY-}|${ATMOS_PROFILE-}|${ATMOS_STACK-}|${ATMOS_BASE_PATH-}|${ATMOS_CLI_CONFIG_PATH-}|${ATMOS_WRAP_USE-}|${HOME-}|${XDG_STATE_HOME-}|${XDG_CONFIG_HOME-}"
	if [ "$PWD" = "$_atmos_wrap_here" ] && [ . -ef "$PWD" ] && _atmos_wrap_fresh "$asked"; then
		return 0
	fi
	[ -n "${_atmos_wrap_adopted-}" ] || _atmos_wrap_adopt
	if ! [ . -ef "$PWD" ]; then
		# The directory is gone, or another one has its name.
		_atmos_wrap_leave
		_atmos_wrap_here=
		return 0
	fi
	if ! _atmos_wrap_known "$asked"; then
		if ! _atmos_wrap_inside; then
			_atmos_wrap_leave
			_atmos_wrap_none "$asked"
			return 0
		fi
		_atmos_wrap_leave
		_atmos_wrap_ask || return 0
	fi
	_atmos_wrap_leave
	_atmos_wrap_enter
}

# Succeed if the answer still holds.
_atmos_wrap_fresh() {
	local path
	[ "$1" = "$_atmos_wrap_new_asked" ] || return 1
	if [ -n "$_atmos_wrap_new_stamp" ]; then
		for path in ${_atmos_wrap_new_watch[@]+"${_atmos_wrap_new_watch[@]}"}; do
			[[ -e $path && ! $path -nt $_atmos_wrap_new_stamp ]] || return 1
		done
	fi
	for path in ${_atmos_wrap_new_absent[@]+"${_atmos_wrap_new_absent[@]}"}; do
		[[ ! -e $path ]] || return 1
	done
	[ "$_atmos_wrap_new_expires" = 0 ] || [ -z "${EPOCHSECONDS-}" ] ||
		((EPOCHSECONDS < _atmos_wrap_new_expires))
}

# Succeed if this directory has a text that still holds; it is read.
_atmos_wrap_known() {
	local text="$_atmos_wrap_texts${PWD%/}/=env"
	case $PWD in
	*/../* | */..) return 1 ;;
	esac
	[[ -f $text && -O $text ]] || return 1
	builtin source "$text" || return 1
	_atmos_wrap_fresh "$1"
}

# Succeed if there is a configuration here or above.
_atmos_wrap_inside() {
	local here=$PWD
	while :; do
		if [[ -e $here/atmos.yaml || -e $here/.atmos.yaml || -e $here/atmos.yml || -e $here/.atmos.yml || -e $here/.atmos-wrap.yaml ]]; then
			return 0
		fi
		[ -n "$here" ] || return 1
		here=${here%/*}
	done
}

# Note that there is nothing here.
_atmos_wrap_none() {
	local here=$PWD
	_atmos_wrap_here=$PWD _atmos_wrap_new_asked=$1 _atmos_wrap_new_stamp='' _atmos_wrap_new_expires=0
	_atmos_wrap_new_root='' _atmos_wrap_new_say=''
	_atmos_wrap_new_watch=() _atmos_wrap_new_absent=()
	while :; do
		_atmos_wrap_new_absent+=("$here/atmos.yaml" "$here/.atmos.yaml" "$here/atmos.yml" "$here/.atmos.yml" "$here/.atmos-wrap.yaml")
		[ -n "$here" ] || break
		here=${here%/*}
	done
}

# Ask for this directory.
_atmos_wrap_ask() {
	local text
	text=$("$_atmos_wrap_python" -E -P -m wrapper hook-env bash "$PWD") || return 1
	builtin eval "$text"
}

# Give every variable back what it was, if it still holds what we gave it.
_atmos_wrap_leave() {
	local i name
	for ((i = 0; i < ${#_atmos_wrap_names[@]}; i++)); do
		name=${_atmos_wrap_names[i]}
		case ${_atmos_wrap_ours[i]} in
		=*) [ "${!name+=}${!name-}" = "${_atmos_wrap_ours[i]}" ] || continue ;;
		*) [ -z "${!name+=}" ] || continue ;;
		esac
		case ${_atmos_wrap_olds[i]} in
		=*) builtin export "$name=${_atmos_wrap_olds[i]#=}" ;;
		*) builtin unset -v "$name" ;;
		esac
	done
	_atmos_wrap_names=() _atmos_wrap_ours=() _atmos_wrap_olds=()
	builtin unset -v ATMOS_WRAP_STATE
}

# Remember what a variable holds, and what it gets: `=value`, or nothing for unset.
_atmos_wrap_own() {
	_atmos_wrap_names+=("$1")
	_atmos_wrap_ours+=("$2")
	_atmos_wrap_olds+=("${!1+=}${!1-}")
	case $2 in
	=*) builtin export "$1=${2#=}" ;;
	*) builtin unset -v "$1" ;;
	esac
}

_atmos_wrap_enter() {
	local i name prefix names
	_atmos_wrap_here=$PWD
	for name in ${_atmos_wrap_new_unset[@]+"${_atmos_wrap_new_unset[@]}"}; do
		[ -z "${!name+=}" ] || _atmos_wrap_own "$name" ''
	done
	for prefix in ${_atmos_wrap_new_prefixes[@]+"${_atmos_wrap_new_prefixes[@]}"}; do
		[[ $prefix =~ ^[A-Z_]+$ ]] || continue
		builtin eval "names=(\"\${!$prefix@}\")"
		for name in ${names[@]+"${names[@]}"}; do
			_atmos_wrap_own "$name" ''
		done
	done
	for ((i = 0; i < ${#_atmos_wrap_new_set[@]}; i += 2)); do
		_atmos_wrap_own "${_atmos_wrap_new_set[i]}" "=${_atmos_wrap_new_set[i + 1]}"
	done
	_atmos_wrap_state
	if [ "$_atmos_wrap_said" != "$_atmos_wrap_new_root|$_atmos_wrap_new_say" ]; then
		_atmos_wrap_said="$_atmos_wrap_new_root|$_atmos_wrap_new_say"
		[ -z "$_atmos_wrap_new_say" ] || builtin printf '%s\n' "$_atmos_wrap_new_say" >&2
	fi
}

# Tell shells that start here which variables are ours. Old values of secrets are not told.
_atmos_wrap_state() {
	local i state="1|$$" old
	[ ${#_atmos_wrap_names[@]} -gt 0 ] || return 0
	for ((i = 0; i < ${#_atmos_wrap_names[@]}; i++)); do
		old=${_atmos_wrap_olds[i]}
		case ${_atmos_wrap_names[i]} in
		*KEY* | *SECRET* | *TOKEN* | *PASSWORD* | *CREDENTIAL*) old= ;;
		esac
		_atmos_wrap_escape "${_atmos_wrap_ours[i]}"
		state="$state|${_atmos_wrap_names[i]}|$REPLY_ATMOS_WRAP"
		_atmos_wrap_escape "$old"
		state="$state|$REPLY_ATMOS_WRAP"
	done
	builtin unset -v REPLY_ATMOS_WRAP
	builtin export ATMOS_WRAP_STATE="$state"
}

_atmos_wrap_escape() {
	REPLY_ATMOS_WRAP=${1//%/%25}
	REPLY_ATMOS_WRAP=${REPLY_ATMOS_WRAP//|/%7C}
	REPLY_ATMOS_WRAP=${REPLY_ATMOS_WRAP//\\/%5C}
	REPLY_ATMOS_WRAP=${REPLY_ATMOS_WRAP//$'\n'/%0A}
}

# Take over what the shell that started this one had set. Names are checked, values stay values.
_atmos_wrap_adopt() {
	local rest="${ATMOS_WRAP_STATE-}" name ours old
	_atmos_wrap_adopted=1
	case $rest in
	'1|'*'|'*) ;;
	*) return 0 ;;
	esac
	rest=${rest#*|}
	rest=${rest#*|}
	while [ -n "$rest" ]; do
		name=${rest%%|*} rest=${rest#*|}
		ours=${rest%%|*}
		case $rest in
		*'|'*) rest=${rest#*|} ;;
		*) break ;;
		esac
		old=${rest%%|*}
		case $rest in
		*'|'*) rest=${rest#*|} ;;
		*) rest= ;;
		esac
		[[ $name =~ ^(AWS|AMAZON|ARM|AZURE|GOOGLE|GCLOUD|GCP|CLOUDSDK|ATMOS_WRAP|BOTO)_?[A-Z0-9_]*$ ]] || continue
		builtin printf -v ours '%b' "${ours//%/\\x}"
		builtin printf -v old '%b' "${old//%/\\x}"
		_atmos_wrap_names+=("$name") _atmos_wrap_ours+=("$ours") _atmos_wrap_olds+=("$old")
	done
}

# Change this shell's pin, switch the hook off and on.
atmos-wrap() {
	local pin
	case ${1-} in
	use)
		case " $* " in
		*' --help '* | *' -h '*) command atmos-wrap "$@" && return ;;
		esac
		if [ "${2-}" = - ]; then
			pin=${_atmos_wrap_before-}
		else
			pin=$("$_atmos_wrap_python" -E -P -m wrapper hook-use "${@:2}") || return
		fi
		_atmos_wrap_before=${ATMOS_WRAP_USE-}
		if [ -n "$pin" ]; then
			builtin export ATMOS_WRAP_USE="$pin"
		else
			builtin unset -v ATMOS_WRAP_USE
		fi
		_atmos_wrap_off='' _atmos_wrap_here=''
		_atmos_wrap_step
		;;
	deactivate)
		_atmos_wrap_leave
		_atmos_wrap_off=1
		;;
	reload)
		_atmos_wrap_off='' _atmos_wrap_here='' _atmos_wrap_said=''
		command rm -f -- "$_atmos_wrap_texts${PWD%/}/=env"
		_atmos_wrap_step
		;;
	*) command atmos-wrap "$@" ;;
	esac
}

# Run before the others at each prompt. An array keeps $? and PIPESTATUS for them (bash 5.1).
if [[ ";${PROMPT_COMMAND[*]-};" != *_atmos_wrap_hook* ]]; then
	if ((BASH_VERSINFO[0] > 5 || (BASH_VERSINFO[0] == 5 && BASH_VERSINFO[1] >= 1))); then
		PROMPT_COMMAND=(_atmos_wrap_hook ${PROMPT_COMMAND[@]+"${PROMPT_COMMAND[@]}"})
	else
		# shellcheck disable=SC2178 # a text where bash knows no array of commands
		PROMPT_COMMAND="${PROMPT_COMMAND:+${PROMPT_COMMAND%;};}_atmos_wrap_hook"
	fi
fi
