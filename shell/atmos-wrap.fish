# The hook of atmos-wrap for fish, 3.1 and later. Load it with: atmos-wrap hook fish | source
# At a prompt nothing is started unless the directory is new or a file that matters has changed.

# Loaded again: what the one before has set is given back by its own rules.
functions -q _atmos_wrap_leave; and _atmos_wrap_leave
set -g _atmos_wrap_python '@PYTHON@'
set -g _atmos_wrap_start '@START@'
set -g _atmos_wrap_texts '@TEXTS@'
set -g _atmos_wrap_form '@FORM@'
set -gx ATMOS_WRAP_HOOK 'fish:'$fish_pid':@VERSION@'
# The directory and the wishes that the answer is for, and what succeeds while it holds.
set -g _atmos_wrap_holds
set -g _atmos_wrap_kind
set -g _atmos_wrap_said
set -e _atmos_wrap_adopted
# The nearest directory with a configuration, and tests that nothing is configured below it.
set -g _atmos_wrap_base
set -g _atmos_wrap_between
# The answer of the last look, as `hook-env` left it; see wrapper/hook/code.py.
set -g _atmos_wrap_new_form
set -g _atmos_wrap_new_asked
set -g _atmos_wrap_new_apart
set -g _atmos_wrap_new_root
set -g _atmos_wrap_new_say
set -g _atmos_wrap_new_told
set -g _atmos_wrap_new_names
set -g _atmos_wrap_new_values
set -g _atmos_wrap_new_gone
# What is ours: name, what it got (`=value`, empty for unset), where it was (x: global, g: global
# and not exported, u: universal, which stays as it is, empty: nowhere), what it was.
set -g _atmos_wrap_names
set -g _atmos_wrap_ours
set -g _atmos_wrap_marks
set -g _atmos_wrap_olds
# fish before 3.6 cannot compare times of files.
set -e _atmos_wrap_old_test
builtin test / -ef / 2>/dev/null; or set -g _atmos_wrap_old_test

function _atmos_wrap_hook --on-event fish_prompt
    set -l fish_trace
    set -l _atmos_wrap_asked "$ATMOS_IDENTITY|$ATMOS_PROFILE|$ATMOS_STACK|$ATMOS_BASE_PATH|$ATMOS_CLI_CONFIG_PATH|$ATMOS_CONFIG|$ATMOS_CONFIG_PATH|$ATMOS_WRAP_USE|$HOME|$XDG_STATE_HOME|$XDG_CONFIG_HOME"
    if builtin test "$PWD|$_atmos_wrap_asked" = "$_atmos_wrap_holds" -a -d "$PWD"; and $_atmos_wrap_kind
        return 0
    end
    set -q _atmos_wrap_off; and return 0
    set -q _atmos_wrap_adopted; or _atmos_wrap_adopt
    _atmos_wrap_leave
    set -g _atmos_wrap_holds
    # The directory may be gone.
    builtin test -d "$PWD"; or return 0
    set -g _atmos_wrap_kind _atmos_wrap_test
    if not _atmos_wrap_known $_atmos_wrap_asked
        if not _atmos_wrap_inside
            set -g _atmos_wrap_kind _atmos_wrap_outside
            set -g _atmos_wrap_holds "$PWD|$_atmos_wrap_asked"
            return 0
        end
        _atmos_wrap_shared $_atmos_wrap_asked; or _atmos_wrap_ask $_atmos_wrap_asked; or return 0
    end
    set -g _atmos_wrap_holds "$PWD|$_atmos_wrap_asked"
    _atmos_wrap_enter
    return 0
end

# Succeed if there is no configuration, as before.
function _atmos_wrap_outside
    not _atmos_wrap_inside
end

# Succeed if no file is newer than the first.
function _atmos_wrap_older
    not command find -L $argv[2..-1] -maxdepth 0 -newer $argv[1] 2>/dev/null | builtin read -l _atmos_wrap_newer
end

# Succeed if this directory has a text that still holds; it is read.
function _atmos_wrap_known
    set -l _atmos_wrap_text $_atmos_wrap_texts$PWD/=env
    builtin test "$PWD" = /; and set _atmos_wrap_text $_atmos_wrap_texts/=env
    _atmos_wrap_read $_atmos_wrap_text $argv[1]; and _atmos_wrap_test
end

# Read a text that was asked for as now. What others could have put there is not: neither a file
# nor a directory of theirs, nor a link to another file of ours.
function _atmos_wrap_read
    builtin test -f $argv[1] -a -O $argv[1] -a ! -L $argv[1] -a -O $_atmos_wrap_texts; or return 1
    builtin string match -q '*/../*' -- $PWD/; and return 1
    set -g _atmos_wrap_new_form
    builtin source $argv[1] 2>/dev/null
    # A text that is torn lacks its last line.
    builtin test "$_atmos_wrap_new_form" = "$_atmos_wrap_form" -a "|$_atmos_wrap_new_asked" = "|$argv[2]"
end

# Succeed if what holds in all directories below the nearest with a configuration holds here: then
# nothing between the two says otherwise, and no link leads here.
function _atmos_wrap_shared
    set -l _atmos_wrap_text $_atmos_wrap_texts$_atmos_wrap_base/=below
    builtin test -f $_atmos_wrap_text; or return 1
    builtin string match -q '*'\n'*' -- $PWD; and return 1
    set -g _atmos_wrap_between
    set -l _atmos_wrap_dir "$_atmos_wrap_base"
    for _atmos_wrap_part in (builtin string replace -- "$_atmos_wrap_base" '' $PWD | builtin string split /)
        builtin test -n "$_atmos_wrap_part"; or continue
        set _atmos_wrap_dir "$_atmos_wrap_dir/$_atmos_wrap_part"
        builtin test -L $_atmos_wrap_dir -o -e $_atmos_wrap_dir/.git -o -L $_atmos_wrap_dir/.git -o -e $_atmos_wrap_dir/.atmos -o -e $_atmos_wrap_dir/.atmos.d -o -e $_atmos_wrap_dir/atmos.d; and return 1
        for _atmos_wrap_n in atmos.yaml .atmos.yaml atmos.yml .atmos.yml .atmos-wrap.yaml
            set -ga _atmos_wrap_between ! -e $_atmos_wrap_dir/$_atmos_wrap_n -a
        end
    end
    set -q _atmos_wrap_between[1]; or return 1
    _atmos_wrap_read $_atmos_wrap_text $argv[1]; or return 1
    if builtin test -n "$_atmos_wrap_new_apart"
        set -l _atmos_wrap_part (builtin string length -- "$_atmos_wrap_new_apart/")
        builtin test (builtin string sub -l $_atmos_wrap_part -- $PWD/ | builtin string collect) = "$_atmos_wrap_new_apart/"; and return 1
    end
    set -g _atmos_wrap_kind _atmos_wrap_beneath
    _atmos_wrap_beneath; and return 0
    set -g _atmos_wrap_kind _atmos_wrap_test
    return 1
end

# Succeed if the answer for all directories below the nearest with a configuration still holds.
function _atmos_wrap_beneath
    builtin test $_atmos_wrap_between 1; and _atmos_wrap_test
end

# Succeed if there is a configuration here or above.
function _atmos_wrap_inside
    set -g _atmos_wrap_base
    set -l _atmos_wrap_dir
    for _atmos_wrap_part in (builtin string split / -- $PWD)
        builtin test -n "$_atmos_wrap_part"; and set _atmos_wrap_dir "$_atmos_wrap_dir/$_atmos_wrap_part"
        builtin test -e "$_atmos_wrap_dir/atmos.yaml" -o -e "$_atmos_wrap_dir/.atmos.yaml" -o -e "$_atmos_wrap_dir/atmos.yml" -o -e "$_atmos_wrap_dir/.atmos.yml" -o -e "$_atmos_wrap_dir/.atmos-wrap.yaml"; and set -g _atmos_wrap_base "$_atmos_wrap_dir"
    end
    set -q _atmos_wrap_base[1]
end

# Ask for this directory. Where that fails, it is asked again when something else is wished.
function _atmos_wrap_ask
    set -l _atmos_wrap_text ($_atmos_wrap_python -I -S -c $_atmos_wrap_start hook-env fish $PWD $_atmos_wrap_form | builtin string collect)
    set -l _atmos_wrap_failed $pipestatus[1]
    if builtin test $_atmos_wrap_failed -eq 0
        eval $_atmos_wrap_text
        return 0
    end
    # What a signal ended is asked again at the next prompt.
    if builtin test $_atmos_wrap_failed -le 128
        set -g _atmos_wrap_kind true
        set -g _atmos_wrap_holds "$PWD|$argv[1]"
    end
    return 1
end

# Give every variable back what it was, if it still holds what we gave it.
function _atmos_wrap_leave
    set -l _atmos_wrap_i $_atmos_wrap_ours
    set -l _atmos_wrap_m $_atmos_wrap_marks
    set -l _atmos_wrap_o $_atmos_wrap_olds
    # Where nothing was there before, the marks are left out.
    if set -q _atmos_wrap_names[1]; and not set -q _atmos_wrap_marks[1]
        _atmos_wrap_undo; and set -g _atmos_wrap_names
        set _atmos_wrap_m (builtin string replace -r '(?s).*' '' -- $_atmos_wrap_names)
        set _atmos_wrap_o $_atmos_wrap_m
    end
    for _atmos_wrap_n in $_atmos_wrap_names[-1..1]
        set -l _atmos_wrap_now ''
        set -q $_atmos_wrap_n; and set _atmos_wrap_now "=$$_atmos_wrap_n"
        if builtin test "$_atmos_wrap_now" = "$_atmos_wrap_i[-1]"; or builtin test "$_atmos_wrap_m[-1]$_atmos_wrap_now$_atmos_wrap_i[-1]" = u=
            switch "$_atmos_wrap_m[-1]"
                case x
                    set -gx $_atmos_wrap_n $_atmos_wrap_o[-1]
                case g
                    set -gu $_atmos_wrap_n $_atmos_wrap_o[-1]
                case '*'
                    set -eg $_atmos_wrap_n
            end
        end
        set -e _atmos_wrap_i[-1]
        set -e _atmos_wrap_m[-1]
        set -e _atmos_wrap_o[-1]
    end
    set -g _atmos_wrap_names
    set -g _atmos_wrap_ours
    set -g _atmos_wrap_marks
    set -g _atmos_wrap_olds
    set -e ATMOS_WRAP_STATE
end

function _atmos_wrap_enter
    set -g _atmos_wrap_names
    if _atmos_wrap_free
        # None of the names is in use: there is nothing to remember.
        set -g _atmos_wrap_names $_atmos_wrap_new_names
        set -g _atmos_wrap_ours $_atmos_wrap_new_values
        _atmos_wrap_give
        builtin test -n "$_atmos_wrap_new_told"; and set -gx ATMOS_WRAP_STATE "1|$fish_pid$_atmos_wrap_new_told"
    else
        _atmos_wrap_list
        for _atmos_wrap_n in $_atmos_wrap_new_gone
            set -q $_atmos_wrap_n; and _atmos_wrap_own $_atmos_wrap_n ''
        end
        set -l _atmos_wrap_i $_atmos_wrap_new_values
        for _atmos_wrap_n in $_atmos_wrap_new_names
            _atmos_wrap_own $_atmos_wrap_n $_atmos_wrap_i[1]
            set -e _atmos_wrap_i[1]
        end
        _atmos_wrap_give
        _atmos_wrap_state
    end
    set -l _atmos_wrap_now "$_atmos_wrap_new_root|$_atmos_wrap_new_say"
    if builtin test "$_atmos_wrap_said" != "$_atmos_wrap_now"
        set -g _atmos_wrap_said $_atmos_wrap_now
        builtin test -n "$_atmos_wrap_new_say"; and builtin printf '%s\n' $_atmos_wrap_new_say >&2
    end
end

# Remember what a variable holds, before it is given `=value`, or now taken away.
function _atmos_wrap_own
    set -l _atmos_wrap_mark ''
    if set -qgx $argv[1]
        set _atmos_wrap_mark x
    else if set -qg $argv[1]
        set _atmos_wrap_mark g
    else if set -qU $argv[1]
        set _atmos_wrap_mark u
    end
    set -ga _atmos_wrap_names $argv[1]
    set -ga _atmos_wrap_ours "$argv[2]"
    set -ga _atmos_wrap_marks "$_atmos_wrap_mark"
    set -ga _atmos_wrap_olds "$$argv[1]"
    builtin test -z "$argv[2]"; or return 0
    set -eg $argv[1]
    # An empty one hides a universal one, which is all shells', and on the disk.
    set -qU $argv[1]; and set -gx $argv[1] ''
    return 0
end

# Tell shells that start here which variables are ours. Old values of secrets are not told.
function _atmos_wrap_state
    set -l _atmos_wrap_told "1|$fish_pid"
    set -l _atmos_wrap_i $_atmos_wrap_ours
    set -l _atmos_wrap_m $_atmos_wrap_marks
    set -l _atmos_wrap_o $_atmos_wrap_olds
    for _atmos_wrap_n in $_atmos_wrap_names
        set -l _atmos_wrap_old ''
        switch $_atmos_wrap_n
            case '*KEY*' '*SECRET*' '*TOKEN*' '*PASSWORD*' '*CREDENTIAL*'
            case '*'
                builtin test "$_atmos_wrap_m[1]" = x; and set _atmos_wrap_old (_atmos_wrap_escape "=$_atmos_wrap_o[1]")
        end
        set -l _atmos_wrap_v (_atmos_wrap_escape "$_atmos_wrap_i[1]")
        set _atmos_wrap_told "$_atmos_wrap_told|$_atmos_wrap_n|$_atmos_wrap_v|$_atmos_wrap_old"
        set -e _atmos_wrap_i[1]
        set -e _atmos_wrap_m[1]
        set -e _atmos_wrap_o[1]
    end
    set -q _atmos_wrap_names[1]; and set -gx ATMOS_WRAP_STATE $_atmos_wrap_told
end

function _atmos_wrap_escape
    builtin string replace -a % %25 -- $argv[1] | builtin string replace -a '|' %7C | builtin string replace -a \\ %5C | builtin string join %0A
end

# Take over what the shell that started this one had set. Names are checked, values stay values.
function _atmos_wrap_adopt
    set -g _atmos_wrap_adopted 1
    builtin string match -q '1|*|*' -- "$ATMOS_WRAP_STATE"; or return 0
    # Ours is far shorter; to take a longer one apart would keep the prompt waiting.
    builtin test (builtin string length -- "$ATMOS_WRAP_STATE") -le 16384; or return 0
    set -l _atmos_wrap_fields (builtin string split '|' -- $ATMOS_WRAP_STATE)
    set -e _atmos_wrap_fields[1..2]
    while set -q _atmos_wrap_fields[3]
        if builtin string match -qr '^(AWS|AMAZON|ARM|AZURE|GOOGLE|GCLOUD|GCP|CLOUDSDK|ATMOS_WRAP|BOTO)_?[A-Z0-9_]*$' -- $_atmos_wrap_fields[1]
            set -l _atmos_wrap_v (_atmos_wrap_decode $_atmos_wrap_fields[2])
            set -l _atmos_wrap_old (_atmos_wrap_decode (builtin string replace -r '^=' '' -- $_atmos_wrap_fields[3]))
            set -ga _atmos_wrap_names $_atmos_wrap_fields[1]
            set -ga _atmos_wrap_ours "$_atmos_wrap_v"
            set -ga _atmos_wrap_olds "$_atmos_wrap_old"
            builtin string match -q '=*' -- $_atmos_wrap_fields[3]; and set -ga _atmos_wrap_marks x; or set -ga _atmos_wrap_marks ''
        end
        set -e _atmos_wrap_fields[1..3]
    end
end

function _atmos_wrap_decode
    builtin printf '%b' (builtin string replace -a % \\x -- $argv[1]) | builtin string collect -N
end

# Look at this directory now, as at a prompt.
function _atmos_wrap_again
    set -e _atmos_wrap_off
    set -g _atmos_wrap_holds
    _atmos_wrap_hook
end

# Change this shell's pin, switch the hook off and on.
function atmos-wrap
    switch "$argv[1]"
        case use
            if builtin contains -- --help $argv; or builtin contains -- -h $argv
                command atmos-wrap $argv
                return
            end
            set -l _atmos_wrap_pin
            if builtin test "$argv[2]" = -
                set _atmos_wrap_pin $_atmos_wrap_before
            else
                set _atmos_wrap_pin ($_atmos_wrap_python -E -P -m wrapper hook-use $argv[2..-1])
                or return
            end
            set -g _atmos_wrap_before $ATMOS_WRAP_USE
            if builtin test -n "$_atmos_wrap_pin"
                set -gx ATMOS_WRAP_USE $_atmos_wrap_pin
            else
                set -e ATMOS_WRAP_USE
            end
            _atmos_wrap_again
        case deactivate
            _atmos_wrap_leave
            set -g _atmos_wrap_off 1
            set -g _atmos_wrap_holds
        case reload
            set -g _atmos_wrap_said
            _atmos_wrap_inside
            command rm -f -- $_atmos_wrap_texts(builtin string trim --right --chars / -- $PWD)/=env $_atmos_wrap_texts$_atmos_wrap_base/=below
            _atmos_wrap_again
        case '*'
            command atmos-wrap $argv
    end
end
