# Completion of atmos-wrap for bash (from 3.2 on). Load it with: source atmos-wrap.bash
# Names come from `atmos-wrap list`; they are never expanded by the shell.

# Print the names of stacks, components, identities or profiles, one per line.
_atmos_wrap_names() {
	local line
	case $1 in
	stacks) line='^ *"Stack": "\([^"]*\)".*' ;;
	components) line='^ *"Component": "\([^"]*\)".*' ;;
	profiles) line='^ *"Name": "\([^"]*\)".*' ;;
	identities) line='^    "\([^"]*\)": {.*' ;;
	esac
	atmos-wrap list "$@" --format json 2>/dev/null </dev/null | sed -n "s/$line/\1/p" | LC_ALL=C sort -u
}

# Offer those lines of stdin that begin with $1.
_atmos_wrap_offer() {
	local name quoted
	while IFS= read -r name; do
		if [[ $name == "$1"* ]]; then
			printf -v quoted '%q' "$name"
			COMPREPLY+=("$quoted")
		fi
	done
}

_atmos_wrap_words() {
	case $1 in
	'') echo terraform tofu exec aws gcloud az kubectl atmos auth describe list profile validate version why workflow ;;
	terraform | tofu)
		echo plan apply deploy destroy init output show validate fmt refresh import state taint untaint \
			workspace console graph providers force-unlock test shell generate clean
		;;
	'terraform generate' | 'tofu generate') echo varfile varfiles backend backends ;;
	auth) echo login logout whoami list env exec shell validate console user ;;
	describe) echo component config dependents schema stacks ;;
	list) echo stacks components instances values vars settings metadata identities profiles ;;
	profile) echo list show ;;
	validate) echo stacks ;;
	esac
}

_atmos_wrap_flags() {
	echo --stack --identity --profile --base-path --config --config-path --chdir --logs-level --no-color --help
	case $1 in
	terraform | tofu)
		echo --dry-run --skip-init --from-plan --planfile --skip-planfile --accept-state-change \
			-auto-approve -destroy -detailed-exitcode -target= -replace= -refresh-only -out= -lock-timeout=
		;;
	exec | aws | gcloud | az | kubectl | atmos | why) echo --component ;;
	describe | list | profile | auth) echo --format ;;
	workflow) echo --file --dry-run --from-step ;;
	esac
}

_atmos_wrap() {
	local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
	local first='' second='' third='' component='' stack='' i word
	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		case $word in
		--) return ;;
		-s | --stack) stack=${COMP_WORDS[i + 1]} && ((i++)) ;;
		-c | --component) component=${COMP_WORDS[i + 1]} && ((i++)) ;;
		-i | --identity | --profile | --base-path | --config | --config-path | -C | --chdir | --logs-level | --format) ((i++)) ;;
		-*) ;;
		*)
			if [[ -z $first ]]; then
				first=$word
			elif [[ -z $second ]]; then
				second=$word
			elif [[ -z $third ]]; then
				third=$word
			fi
			;;
		esac
	done
	case $first:$second in
	terraform:* | tofu:* | describe:component | describe:dependents | list:values | list:vars | list:settings | list:metadata) component=${component:-$third} ;;
	esac

	case $before in
	-s | --stack)
		_atmos_wrap_offer "$current" < <(_atmos_wrap_names stacks ${component:+--component "$component"})
		return
		;;
	-c | --component)
		_atmos_wrap_offer "$current" < <(_atmos_wrap_names components ${stack:+--stack "$stack"})
		return
		;;
	-i | --identity)
		_atmos_wrap_offer "$current" < <(_atmos_wrap_names identities)
		return
		;;
	--profile)
		_atmos_wrap_offer "$current" < <(_atmos_wrap_names profiles)
		return
		;;
	--base-path | --config | --config-path | -C | --chdir)
		_atmos_wrap_offer "$current" < <(compgen -f -- "$current")
		return
		;;
	--logs-level)
		_atmos_wrap_offer "$current" < <(printf '%s\n' Trace Debug Info Warning Off)
		return
		;;
	--format)
		_atmos_wrap_offer "$current" < <(printf '%s\n' json yaml table csv tsv)
		return
		;;
	esac
	if [[ $current == -* ]]; then
		_atmos_wrap_offer "$current" < <(_atmos_wrap_flags "$first" | tr ' ' '\n')
	elif [[ $first == why ]]; then
		[[ -n $second ]] || _atmos_wrap_offer "$current" < <(_atmos_wrap_names identities)
	elif [[ -z $second ]]; then
		_atmos_wrap_offer "$current" < <(_atmos_wrap_words "$first" | tr ' ' '\n')
	elif [[ -z $third ]]; then
		case $first:$second in
		terraform:generate | tofu:generate) _atmos_wrap_offer "$current" < <(printf '%s\n' varfile varfiles backend backends) ;;
		terraform:* | tofu:* | describe:component | describe:dependents | list:values | list:vars | list:settings | list:metadata)
			_atmos_wrap_offer "$current" < <(_atmos_wrap_names components ${stack:+--stack "$stack"})
			;;
		describe:schema) _atmos_wrap_offer "$current" < <(printf '%s\n' config manifest) ;;
		profile:show) _atmos_wrap_offer "$current" < <(_atmos_wrap_names profiles) ;;
		auth:login | auth:logout | auth:whoami | auth:env | auth:console) _atmos_wrap_offer "$current" < <(_atmos_wrap_names identities) ;;
		esac
	fi
}

complete -F _atmos_wrap atmos-wrap
