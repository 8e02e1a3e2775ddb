# The hook of atmos-wrap for bash, 3.2 and later. Load it with: eval "$(atmos-wrap hook bash)"
# At a prompt nothing is started unless the directory is new or a file that matters has changed.
# Every name here begins with _atmos_wrap: a `readonly` variable of the user's must not stop us.
# A builtin's NAME=VALUE is in quotes, else `set -k` takes it away.
# shellcheck disable=SC2154 # a `local` in quotes is not seen

# Under `set -a` nothing of this is exported.
_atmos_wrap_all=
case $- in
*a*)
	builtin set +a
	_atmos_wrap_all=1
	;;
esac

# Loaded again: what the one before has set is given back by its own rules.
# shellcheck disable=SC2218 # it is the older text's own
! builtin declare -F _atmos_wrap_leave >/dev/null || _atmos_wrap_leave
_atmos_wrap_python='@PYTHON@'
_atmos_wrap_start='@START@'
_atmos_wrap_texts='@TEXTS@'
_atmos_wrap_form='@FORM@'
# shellcheck disable=SC2034 # for programs
builtin export 'ATMOS_WRAP_HOOK=bash:'"$$"':@VERSION@'
# The directory and the wishes that the answer is for.
_atmos_wrap_holds=
_atmos_wrap_kind=
_atmos_wrap_off=
_atmos_wrap_said=
_atmos_wrap_adopted=
# The nearest directory with a configuration, and the one whose answer for all below it is taken.
_atmos_wrap_base=
_atmos_wrap_above=
# The answer of the last look, as `hook-env` left it; see wrapper/hook/code.py.
_atmos_wrap_new_form=
_atmos_wrap_new_asked=
_atmos_wrap_new_apart=
_atmos_wrap_new_expires=0
_atmos_wrap_new_root=
_atmos_wrap_new_say=
_atmos_wrap_new_told=
_atmos_wrap_new_names=()
_atmos_wrap_new_values=()
_atmos_wrap_new_gone=()
# What is ours: name, what it got (`=value`, nothing for unset), what it was (`-value`: unexported).
_atmos_wrap_names=()
_atmos_wrap_ours=()
_atmos_wrap_olds=()

_atmos_wrap_hook() {
	builtin local "_atmos_wrap_status=$?"
	case $- in
	*[ax]*)
		{ builtin set -- "$-" && builtin set +ax; } 2>/dev/null
		# What a command of ours has set under `set -a` is for this shell alone.
		builtin export -n "${!_atmos_wrap_@}"
		_atmos_wrap_look || builtin true
		case $1 in *a*) builtin set -a ;; esac
		case $1 in *x*) builtin set -x ;; esac
		;;
	*) _atmos_wrap_look || builtin true ;;
	esac
	# bash keeps $? between the entries of an array; in a text of several commands it is up to us.
	[[ ${PROMPT_COMMAND-} != _atmos_wrap_hook && $- != *e* ]] || builtin return 0
	builtin return "$_atmos_wrap_status"
}

# `[[` and `case` compare without regard to letters' case where the user has set nocasematch.
_atmos_wrap_look() {
	builtin local "_atmos_wrap_asked=${ATMOS_IDENTITY-}|${ATMOS_PROFILE-}|${ATMOS_STACK-}|${ATMOS_BASE_PATH-}|${ATMOS_CLI_CONFIG_PATH-}|${ATMOS_CONFIG-}|${ATMOS_CONFIG_PATH-}|${ATMOS_WRAP_USE-}|${HOME-}|${XDG_STATE_HOME-}|${XDG_CONFIG_HOME-}"
	if builtin test "$PWD|$_atmos_wrap_asked" = "$_atmos_wrap_holds" && [[ . -ef $PWD ]] && _atmos_wrap_fresh; then
		builtin return 0
	fi
	[[ -z $_atmos_wrap_off ]] || builtin return 0
	[[ -n $_atmos_wrap_adopted ]] || _atmos_wrap_adopt
	_atmos_wrap_leave
	_atmos_wrap_holds=
	# The directory may be gone, or another one have its name.
	[[ . -ef $PWD ]] || builtin return 0
	_atmos_wrap_kind=text
	if ! _atmos_wrap_known; then
		if ! _atmos_wrap_inside; then
			_atmos_wrap_kind=none
			_atmos_wrap_holds="$PWD|$_atmos_wrap_asked"
			builtin return 0
		fi
		_atmos_wrap_shared || _atmos_wrap_ask || builtin return 0
	fi
	_atmos_wrap_holds="$PWD|$_atmos_wrap_asked"
	_atmos_wrap_enter
}

# Succeed if the answer still holds.
_atmos_wrap_fresh() {
	case $_atmos_wrap_kind in
	text) _atmos_wrap_test && _atmos_wrap_unexpired ;;
	below)
		_atmos_wrap_test && _atmos_wrap_unexpired && _atmos_wrap_inside &&
			builtin test "$_atmos_wrap_base" = "$_atmos_wrap_above"
		;;
	none) ! _atmos_wrap_inside ;;
	failed) ;;
	esac
}

_atmos_wrap_unexpired() {
	[[ $_atmos_wrap_new_expires != 0 ]] || builtin return 0
	if ((BASH_VERSINFO[0] >= 5)); then
		[[ -z ${EPOCHSECONDS-} ]] || ((EPOCHSECONDS < _atmos_wrap_new_expires)) # bash 5
	else
		((SECONDS + _atmos_wrap_epoch < _atmos_wrap_new_expires))
	fi
}

# Succeed if this directory has a text that still holds; it is read.
_atmos_wrap_known() {
	_atmos_wrap_read "$_atmos_wrap_texts${PWD%/}/=env" && _atmos_wrap_fresh
}

# Read a text that was asked for as now. What others could have put there is not: neither a file
# nor a directory of theirs, nor a link to another file of ours.
_atmos_wrap_read() {
	case $PWD/ in
	*/../*) builtin return 1 ;;
	esac
	[[ -f $1 && -O $1 && ! -L $1 && -O $_atmos_wrap_texts ]] || builtin return 1
	_atmos_wrap_new_form=
	builtin source "$1" 2>/dev/null
	# A text that is torn lacks its last line.
	[[ $_atmos_wrap_new_form == "$_atmos_wrap_form" ]] && builtin test "$_atmos_wrap_new_asked" = "$_atmos_wrap_asked"
}

# Succeed if what holds in all directories below the nearest with a configuration holds here: then
# nothing between the two says otherwise, and no link leads here.
_atmos_wrap_shared() {
	builtin set -- "${PWD%/}"
	[[ ${#1} -gt ${#_atmos_wrap_base} && -f $_atmos_wrap_texts$_atmos_wrap_base/=below ]] || builtin return 1
	while [[ ${#1} -gt ${#_atmos_wrap_base} ]]; do
		[[ ! -L $1 && ! -e $1/.git && ! -L $1/.git && ! -e $1/.atmos && ! -e $1/.atmos.d && ! -e $1/atmos.d ]] || builtin return 1
		builtin set -- "${1%/*}"
	done
	_atmos_wrap_read "$_atmos_wrap_texts$_atmos_wrap_base/=below" || builtin return 1
	case $PWD/ in
	"${_atmos_wrap_new_apart:-/../}"/*) builtin return 1 ;;
	esac
	_atmos_wrap_kind=below _atmos_wrap_above=$_atmos_wrap_base
	if ! _atmos_wrap_fresh; then
		_atmos_wrap_kind=text
		builtin return 1
	fi
}

# Succeed if there is a configuration here or above.
_atmos_wrap_inside() {
	builtin set -- "${PWD%/}"
	while [[ ! -e $1/atmos.yaml && ! -e $1/.atmos.yaml && ! -e $1/atmos.yml && ! -e $1/.atmos.yml && ! -e $1/.atmos-wrap.yaml ]]; do
		[[ -n $1 ]] || builtin return 1
		builtin set -- "${1%/*}"
	done
	_atmos_wrap_base=$1
}

# Ask for this directory. Where that fails, it is asked again when something else is wished.
_atmos_wrap_ask() {
	builtin local _atmos_wrap_text "_atmos_wrap_failed=0"
	_atmos_wrap_text=$("$_atmos_wrap_python" -I -S -c "$_atmos_wrap_start" hook-env bash "$PWD" "$_atmos_wrap_form") || _atmos_wrap_failed=$?
	if ((_atmos_wrap_failed == 0)); then
		builtin eval "$_atmos_wrap_text"
		builtin return
	fi
	# What a signal ended is asked again at the next prompt.
	((_atmos_wrap_failed > 128)) || _atmos_wrap_kind=failed _atmos_wrap_holds="$PWD|$_atmos_wrap_asked"
	builtin return 1
}

# Give every variable back what it was, if it still holds what we gave it.
_atmos_wrap_leave() {
	builtin local _atmos_wrap_i _atmos_wrap_n
	for ((_atmos_wrap_i = ${#_atmos_wrap_names[@]} - 1; _atmos_wrap_i >= 0; _atmos_wrap_i--)); do
		_atmos_wrap_n=${_atmos_wrap_names[_atmos_wrap_i]}
		builtin test "${!_atmos_wrap_n+=}${!_atmos_wrap_n-}" = "${_atmos_wrap_ours[_atmos_wrap_i]}" || continue
		case ${_atmos_wrap_olds[_atmos_wrap_i]-} in
		=*) builtin export "$_atmos_wrap_n=${_atmos_wrap_olds[_atmos_wrap_i]#=}" ;;
		-*) builtin export -n "$_atmos_wrap_n=${_atmos_wrap_olds[_atmos_wrap_i]#-}" ;;
		*) builtin unset -v "$_atmos_wrap_n" ;;
		esac
	done 2>/dev/null
	_atmos_wrap_names=() _atmos_wrap_ours=() _atmos_wrap_olds=()
	builtin unset -v ATMOS_WRAP_STATE
}

_atmos_wrap_enter() {
	builtin local _atmos_wrap_i "_atmos_wrap_fine=1"
	if _atmos_wrap_free; then
		# None of the names is in use: there is nothing to remember.
		_atmos_wrap_names=(${_atmos_wrap_new_names[@]+"${_atmos_wrap_new_names[@]}"})
		_atmos_wrap_ours=(${_atmos_wrap_new_values[@]+"${_atmos_wrap_new_values[@]}"})
		_atmos_wrap_give 2>/dev/null || _atmos_wrap_fine=
		[[ -z $_atmos_wrap_new_told ]] || builtin export "ATMOS_WRAP_STATE=1|$$$_atmos_wrap_new_told"
	else
		_atmos_wrap_list
		for _atmos_wrap_i in ${_atmos_wrap_new_gone[@]+"${_atmos_wrap_new_gone[@]}"}; do
			[[ -z ${!_atmos_wrap_i+=} ]] || _atmos_wrap_own "$_atmos_wrap_i" '' || _atmos_wrap_fine=
		done
		for ((_atmos_wrap_i = 0; _atmos_wrap_i < ${#_atmos_wrap_new_names[@]}; _atmos_wrap_i++)); do
			_atmos_wrap_own "${_atmos_wrap_new_names[_atmos_wrap_i]}" "${_atmos_wrap_new_values[_atmos_wrap_i]}" || _atmos_wrap_fine=
		done
		_atmos_wrap_state
	fi
	if [[ -z $_atmos_wrap_fine ]]; then
		_atmos_wrap_leave
		_atmos_wrap_new_say="atmos-wrap: a variable of the identity is readonly in this shell: nothing is set"
	fi
	if ! builtin test "$_atmos_wrap_said" = "$_atmos_wrap_new_root|$_atmos_wrap_new_say"; then
		_atmos_wrap_said="$_atmos_wrap_new_root|$_atmos_wrap_new_say"
		[[ -z $_atmos_wrap_new_say ]] || builtin printf '%s\n' "$_atmos_wrap_new_say" >&2
	fi
}

# Remember what a variable holds, and give it `=value`, or nothing. Fail where it is readonly.
_atmos_wrap_own() {
	builtin local "_atmos_wrap_old=${!1+=}${!1-}"
	if [[ -n $_atmos_wrap_old ]] && ! _atmos_wrap_exported "$1"; then
		_atmos_wrap_old="-${_atmos_wrap_old#=}"
	fi
	case $2 in
	=*) builtin export "$1=${2#=}" ;;
	*) builtin unset -v "$1" ;;
	esac 2>/dev/null || builtin return 1
	_atmos_wrap_names+=("$1")
	_atmos_wrap_ours+=("$2")
	_atmos_wrap_olds+=("$_atmos_wrap_old")
}

_atmos_wrap_exported() {
	if ((BASH_VERSINFO[0] > 4 || (BASH_VERSINFO[0] == 4 && BASH_VERSINFO[1] >= 4))); then
		[[ ${!1@a} == *x* ]] # bash 4.4
	else
		[[ $(builtin declare -p "$1" 2>/dev/null) == 'declare -'*x*" $1="* ]]
	fi
}

# Tell shells that start here which variables are ours. Old values of secrets are not told.
_atmos_wrap_state() {
	builtin local _atmos_wrap_i "_atmos_wrap_told=1|$$" _atmos_wrap_old REPLY_ATMOS_WRAP
	((${#_atmos_wrap_names[@]})) || builtin return 0
	for ((_atmos_wrap_i = 0; _atmos_wrap_i < ${#_atmos_wrap_names[@]}; _atmos_wrap_i++)); do
		_atmos_wrap_old=${_atmos_wrap_olds[_atmos_wrap_i]}
		case ${_atmos_wrap_names[_atmos_wrap_i]} in
		*KEY* | *SECRET* | *TOKEN* | *PASSWORD* | *CREDENTIAL*) _atmos_wrap_old= ;;
		esac
		_atmos_wrap_old=${_atmos_wrap_old/#-*/}
		_atmos_wrap_escape "${_atmos_wrap_ours[_atmos_wrap_i]}"
		_atmos_wrap_told="$_atmos_wrap_told|${_atmos_wrap_names[_atmos_wrap_i]}|$REPLY_ATMOS_WRAP"
		_atmos_wrap_escape "$_atmos_wrap_old"
		_atmos_wrap_told="$_atmos_wrap_told|$REPLY_ATMOS_WRAP"
	done
	builtin export "ATMOS_WRAP_STATE=$_atmos_wrap_told"
}

_atmos_wrap_escape() {
	REPLY_ATMOS_WRAP=${1//%/%25}
	REPLY_ATMOS_WRAP=${REPLY_ATMOS_WRAP//|/%7C}
	REPLY_ATMOS_WRAP=${REPLY_ATMOS_WRAP//\\/%5C}
	REPLY_ATMOS_WRAP=${REPLY_ATMOS_WRAP//$'\n'/%0A}
}

# Take over what the shell that started this one had set. Names are checked, values stay values.
_atmos_wrap_adopt() {
	_atmos_wrap_adopted=1
	builtin local "_atmos_wrap_rest=${ATMOS_WRAP_STATE-}" _atmos_wrap_n _atmos_wrap_v _atmos_wrap_old
	# Ours is far shorter; to take a longer one apart would keep the prompt waiting.
	((${#_atmos_wrap_rest} <= 16384)) || builtin return 0
	case $_atmos_wrap_rest in
	'1|'*'|'*) ;;
	*) builtin return 0 ;;
	esac
	_atmos_wrap_rest=${_atmos_wrap_rest#*|}
	_atmos_wrap_rest=${_atmos_wrap_rest#*|}
	while [[ -n $_atmos_wrap_rest ]]; do
		_atmos_wrap_n=${_atmos_wrap_rest%%|*} _atmos_wrap_rest=${_atmos_wrap_rest#*|}
		_atmos_wrap_v=${_atmos_wrap_rest%%|*}
		[[ $_atmos_wrap_rest == *'|'* ]] || break
		_atmos_wrap_rest=${_atmos_wrap_rest#*|}
		_atmos_wrap_old=${_atmos_wrap_rest%%|*}
		if [[ $_atmos_wrap_rest == *'|'* ]]; then
			_atmos_wrap_rest=${_atmos_wrap_rest#*|}
		else
			_atmos_wrap_rest=
		fi
		[[ $_atmos_wrap_n =~ ^(AWS|AMAZON|ARM|AZURE|GOOGLE|GCLOUD|GCP|CLOUDSDK|ATMOS_WRAP|BOTO)_?[A-Z0-9_]*$ ]] || continue
		builtin printf -v _atmos_wrap_v '%b' "${_atmos_wrap_v//%/\\x}"
		builtin printf -v _atmos_wrap_old '%b' "${_atmos_wrap_old//%/\\x}"
		_atmos_wrap_names+=("$_atmos_wrap_n") _atmos_wrap_ours+=("$_atmos_wrap_v") _atmos_wrap_olds+=("$_atmos_wrap_old")
	done
}

# Look at this directory now, as at a prompt.
_atmos_wrap_again() {
	_atmos_wrap_off='' _atmos_wrap_holds=''
	_atmos_wrap_hook
}

# Change this shell's pin, switch the hook off and on.
atmos-wrap() {
	builtin local _atmos_wrap_pin
	case ${1-} in
	use)
		case " $* " in
		*' --help '* | *' -h '*)
			builtin command atmos-wrap "$@"
			builtin return
			;;
		esac
		if [[ ${2-} == - ]]; then
			_atmos_wrap_pin=${_atmos_wrap_before-}
		else
			_atmos_wrap_pin=$("$_atmos_wrap_python" -E -P -m wrapper hook-use "${@:2}") || builtin return
		fi
		_atmos_wrap_before=${ATMOS_WRAP_USE-}
		if [[ -n $_atmos_wrap_pin ]]; then
			builtin export "ATMOS_WRAP_USE=$_atmos_wrap_pin"
		else
			builtin unset -v ATMOS_WRAP_USE
		fi
		_atmos_wrap_again
		;;
	deactivate)
		_atmos_wrap_leave
		_atmos_wrap_off=1 _atmos_wrap_holds=''
		;;
	reload)
		_atmos_wrap_said=''
		_atmos_wrap_inside || builtin true
		builtin command rm -f -- "$_atmos_wrap_texts${PWD%/}/=env" "$_atmos_wrap_texts$_atmos_wrap_base/=below"
		_atmos_wrap_again
		;;
	*) builtin command atmos-wrap "$@" ;;
	esac
}

# bash before 5 has no clock but the seconds since the shell began.
((BASH_VERSINFO[0] >= 5)) || _atmos_wrap_epoch=$(($(builtin command date +%s) - SECONDS))

# Run before the others at each prompt. An array keeps $? and PIPESTATUS for them (bash 5.1).
if [[ ";${PROMPT_COMMAND[*]-};" != *_atmos_wrap_hook* ]]; then
	if ((BASH_VERSINFO[0] > 5 || (BASH_VERSINFO[0] == 5 && BASH_VERSINFO[1] >= 1))); then
		PROMPT_COMMAND=(_atmos_wrap_hook ${PROMPT_COMMAND[@]+"${PROMPT_COMMAND[@]}"})
	else
		# shellcheck disable=SC2178 # a text where bash knows no array of commands
		PROMPT_COMMAND="${PROMPT_COMMAND:+${PROMPT_COMMAND%;};}_atmos_wrap_hook"
	fi
fi
[[ -z $_atmos_wrap_all ]] || builtin set -a
