# shellcheck shell=bash
# `use atmos` for an .envrc. Install it with: atmos-wrap hook direnv > ~/.config/direnv/lib/atmos-wrap.sh

# Usage: use atmos [STACK|IDENTITY]
#
# Sets the pointers of the identity of the .envrc's directory, of a stack's identity, or of an
# identity. Keys of others are taken away. The .envrc is looked at again when a file that matters
# changes.
use_atmos() {
	local text python='@PYTHON@'
	if [[ ! -x $python ]]; then
		log_error "atmos-wrap has moved: type \`atmos-wrap hook direnv > ${BASH_SOURCE[0]}\`"
		return 127
	fi
	text=$("$python" -E -P -m wrapper hook-export direnv "$@") || return
	eval "$text"
}
