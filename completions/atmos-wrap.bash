# Completion of atmos-wrap for bash (from 3.2 on). Load it with: source atmos-wrap.bash
# One call of the program per Tab, which reads the line and gives what readline may insert.
# A builtin's NAME=VALUE is in quotes, else `set -k` takes it away.

_atmos_wrap_ask() {
	atmos-wrap __complete "$@"
}

# Hand the line of another program over to its own completion, else offer file names.
_atmos_wrap_other() {
	local at
	if declare -F _command_offset >/dev/null; then
		for ((at = 1; at < COMP_CWORD; at++)); do
			if [[ ${COMP_WORDS[at]} == "$1" ]]; then
				_command_offset "$at" || :
				return 0
			fi
		done
	fi
	_atmos_wrap_paths default -f "$2"
}

# Offer paths: by readline itself, which quotes them, else (bash 3.2) from a list.
_atmos_wrap_paths() {
	local path $'IFS=\n'
	if type -t compopt >/dev/null; then
		compopt -o "$1" -o filenames 2>/dev/null || :
		return 0
	fi
	for path in $(compgen "$2" -- "$3"); do
		printf -v path '%q' "$path"
		COMPREPLY+=("$path")
	done
}

_atmos_wrap() {
	local answer what line text 'noglob=' $'IFS=\n'
	line=${COMP_LINE-} text=${2-}
	COMPREPLY=()
	answer=$(_atmos_wrap_ask --shell=bash "${line:0:COMP_POINT}" "${line:COMP_POINT}" "$text" 2>/dev/null </dev/null) || return 0
	what=${answer%%$'\n'*}
	answer=${answer#"$what"}
	answer=${answer#$'\n'}
	case $what in
	command*)
		_atmos_wrap_other "$answer" "$text"
		return 0
		;;
	program*) answer=$(compgen -c -- "$text") || : ;;
	files*)
		_atmos_wrap_paths default -f "$text"
		return 0
		;;
	dirs*)
		_atmos_wrap_paths dirnames -d "$text"
		return 0
		;;
	nospace*) if type -t compopt >/dev/null; then compopt -o nospace 2>/dev/null || :; fi ;;
	esac
	# Names are split at line ends and never expanded.
	case $- in *f*) noglob=1 ;; esac
	set -f
	# shellcheck disable=SC2206
	COMPREPLY=($answer)
	if [[ -z $noglob ]]; then set +f; fi
	return 0
}

complete -F _atmos_wrap atmos-wrap
