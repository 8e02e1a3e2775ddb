# The hook of atmos-wrap for fish, 3.1 and later. Load it with: atmos-wrap hook fish | source
# At a prompt nothing is started unless the directory is new or a file that matters has changed.

set -g _atmos_wrap_python '@PYTHON@'
set -g _atmos_wrap_texts '@TEXTS@'
set -gx ATMOS_WRAP_HOOK fish:$fish_pid
# What holds now, as `hook-env` put it; see wrapper/hook/answer.py.
set -g _atmos_wrap_here
set -g _atmos_wrap_said
set -g _atmos_wrap_new_asked
set -g _atmos_wrap_new_stamp
set -g _atmos_wrap_new_watch
set -g _atmos_wrap_new_absent
# The variables that are ours: name, whether and what we gave, whether and what was there.
set -g _atmos_wrap_names
set -g _atmos_wrap_gave
set -g _atmos_wrap_ours
set -g _atmos_wrap_had
set -g _atmos_wrap_olds

function _atmos_wrap_hook --on-event fish_prompt
    set -q _atmos_wrap_off; and return 0
    set -l asked "$ATMOS_IDENTITY|$ATMOS_PROFILE|$ATMOS_STACK|$ATMOS_BASE_PATH|$ATMOS_CLI_CONFIG_PATH|$ATMOS_WRAP_USE|$HOME|$XDG_STATE_HOME|$XDG_CONFIG_HOME"
    if test "$PWD" = "$_atmos_wrap_here"; and test -d "$PWD"; and _atmos_wrap_fresh $asked
        return 0
    end
    set -q _atmos_wrap_adopted; or _atmos_wrap_adopt
    if not test -d "$PWD"
        # The directory is gone.
        _atmos_wrap_leave
        set -g _atmos_wrap_here
        return 0
    end
    if not _atmos_wrap_known $asked
        _atmos_wrap_leave
        if not _atmos_wrap_inside
            _atmos_wrap_none $asked
            return 0
        end
        _atmos_wrap_ask; or return 0
    end
    _atmos_wrap_leave
    _atmos_wrap_enter
    return 0
end

# Succeed if the answer still holds.
function _atmos_wrap_fresh
    test "$argv[1]" = "$_atmos_wrap_new_asked"; or return 1
    if test -n "$_atmos_wrap_new_stamp"
        for file in $_atmos_wrap_new_watch
            test -e $file; and not test $file -nt $_atmos_wrap_new_stamp; or return 1
        end
    end
    for file in $_atmos_wrap_new_absent
        test -e $file; and return 1
    end
    return 0
end

# Succeed if this directory has a text that still holds; it is read.
function _atmos_wrap_known
    set -l text $_atmos_wrap_texts(string trim --right --chars / -- $PWD)/=env
    string match -q '*/../*' -- $PWD/; and return 1
    test -f $text; and test -O $text; or return 1
    builtin source $text; or return 1
    _atmos_wrap_fresh $argv[1]
end

# Print the directories from here up, one per argument of what calls this.
function _atmos_wrap_upwards
    set -l here (string trim --right --chars / -- $PWD)
    while test -n "$here"
        printf '%s\0' $here
        set here (string replace -r '/[^/]*$' '' -- $here | string collect)
    end
    printf '%s\0' ''
end

# Succeed if there is a configuration here or above.
function _atmos_wrap_inside
    for here in (_atmos_wrap_upwards | string split0)
        for name in atmos.yaml .atmos.yaml atmos.yml .atmos.yml .atmos-wrap.yaml
            test -e $here/$name; and return 0
        end
    end
    return 1
end

# Note that there is nothing here.
function _atmos_wrap_none
    set -g _atmos_wrap_here $PWD
    set -g _atmos_wrap_new_asked $argv[1]
    set -g _atmos_wrap_new_stamp
    set -g _atmos_wrap_new_watch
    set -g _atmos_wrap_new_absent
    for here in (_atmos_wrap_upwards | string split0)
        set -ga _atmos_wrap_new_absent $here/{atmos.yaml,.atmos.yaml,atmos.yml,.atmos.yml,.atmos-wrap.yaml}
    end
end

# Ask for this directory.
function _atmos_wrap_ask
    set -l text ($_atmos_wrap_python -E -P -m wrapper hook-env fish $PWD | string collect)
    test $pipestatus[1] -eq 0; or return 1
    eval $text
end

# Give every variable back what it was, if it still holds what we gave it.
function _atmos_wrap_leave
    set -l i 1
    while test $i -le (count $_atmos_wrap_names)
        set -l name $_atmos_wrap_names[$i]
        set -l now no
        set -q $name; and set now yes
        if test $now = $_atmos_wrap_gave[$i]; and test $now = no -o "$$name" = "$_atmos_wrap_ours[$i]"
            if test $_atmos_wrap_had[$i] = yes
                set -gx $name $_atmos_wrap_olds[$i]
            else
                set -e $name
            end
        end
        set i (math $i + 1)
    end
    for list in names gave ours had olds
        set -g _atmos_wrap_$list
    end
    set -e ATMOS_WRAP_STATE
end

# Remember what a variable holds, and give it a value; without one it is unset.
function _atmos_wrap_own
    set -l had no
    set -q $argv[1]; and set had yes
    set -ga _atmos_wrap_names $argv[1]
    set -ga _atmos_wrap_had $had
    set -ga _atmos_wrap_olds "$$argv[1]"
    set -ga _atmos_wrap_ours "$argv[2]"
    if set -q argv[2]
        set -ga _atmos_wrap_gave yes
        set -gx $argv[1] $argv[2]
    else
        set -ga _atmos_wrap_gave no
        set -e $argv[1]
    end
end

function _atmos_wrap_enter
    set -g _atmos_wrap_here $PWD
    for name in $_atmos_wrap_new_unset
        set -q $name; and _atmos_wrap_own $name
    end
    for prefix in $_atmos_wrap_new_prefixes
        for name in (set -nx | string match -- "$prefix*")
            _atmos_wrap_own $name
        end
    end
    set -l i 1
    while test $i -lt (count $_atmos_wrap_new_set)
        _atmos_wrap_own $_atmos_wrap_new_set[$i] $_atmos_wrap_new_set[(math $i + 1)]
        set i (math $i + 2)
    end
    _atmos_wrap_state
    set -l said "$_atmos_wrap_new_root|$_atmos_wrap_new_say"
    if test "$_atmos_wrap_said" != "$said"
        set -g _atmos_wrap_said $said
        test -n "$_atmos_wrap_new_say"; and printf '%s\n' $_atmos_wrap_new_say >&2
    end
end

# Tell shells that start here which variables are ours. Old values of secrets are not told.
function _atmos_wrap_state
    set -l state "1|$fish_pid"
    set -l i 1
    while test $i -le (count $_atmos_wrap_names)
        set -l ours ''
        set -l old ''
        test $_atmos_wrap_gave[$i] = yes; and set ours "="(_atmos_wrap_escape $_atmos_wrap_ours[$i])
        test $_atmos_wrap_had[$i] = yes; and set old "="(_atmos_wrap_escape $_atmos_wrap_olds[$i])
        switch $_atmos_wrap_names[$i]
            case '*KEY*' '*SECRET*' '*TOKEN*' '*PASSWORD*' '*CREDENTIAL*'
                set old ''
        end
        set state "$state|$_atmos_wrap_names[$i]|$ours|$old"
        set i (math $i + 1)
    end
    test $i -gt 1; and set -gx ATMOS_WRAP_STATE $state
end

function _atmos_wrap_escape
    string replace -a % %25 -- $argv[1] | string replace -a '|' %7C | string replace -a \\ %5C | string join %0A
end

# Take over what the shell that started this one had set. Names are checked, values stay values.
function _atmos_wrap_adopt
    set -g _atmos_wrap_adopted 1
    string match -q '1|*|*' -- "$ATMOS_WRAP_STATE"; or return 0
    set -l fields (string split '|' -- $ATMOS_WRAP_STATE)
    set -l i 3
    while test $i -lt (math (count $fields) - 1)
        if string match -qr '^(AWS|AMAZON|ARM|AZURE|GOOGLE|GCLOUD|GCP|CLOUDSDK|ATMOS_WRAP|BOTO)_?[A-Z0-9_]*$' -- $fields[$i]
            set -ga _atmos_wrap_names $fields[$i]
            _atmos_wrap_decode gave ours $fields[(math $i + 1)]
            _atmos_wrap_decode had olds $fields[(math $i + 2)]
        end
        set i (math $i + 3)
    end
end

function _atmos_wrap_decode
    set -l value (string replace -r '^=' '' -- $argv[3])
    set -ga _atmos_wrap_$argv[2] (printf '%b' (string replace -a % \\x -- $value) | string collect --allow-empty)
    string match -q '=*' -- $argv[3]; and set -ga _atmos_wrap_$argv[1] yes; or set -ga _atmos_wrap_$argv[1] no
end

# Change this shell's pin, switch the hook off and on.
function atmos-wrap
    switch "$argv[1]"
        case use
            if contains -- --help $argv; or contains -- -h $argv
                command atmos-wrap $argv
                return
            end
            set -l pin
            if test "$argv[2]" = -
                set pin $_atmos_wrap_before
            else
                set pin ($_atmos_wrap_python -E -P -m wrapper hook-use $argv[2..])
                or return
            end
            set -g _atmos_wrap_before $ATMOS_WRAP_USE
            if test -n "$pin"
                set -gx ATMOS_WRAP_USE $pin
            else
                set -e ATMOS_WRAP_USE
            end
            set -e _atmos_wrap_off
            set -g _atmos_wrap_here
            _atmos_wrap_hook
        case deactivate
            _atmos_wrap_leave
            set -g _atmos_wrap_off 1
        case reload
            set -e _atmos_wrap_off
            set -g _atmos_wrap_here
            set -g _atmos_wrap_said
            command rm -f -- $_atmos_wrap_texts(string trim --right --chars / -- $PWD)/=env
            _atmos_wrap_hook
        case '*'
            command atmos-wrap $argv
    end
end
