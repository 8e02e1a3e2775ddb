# Completion of atmos-wrap for fish. Put this file into ~/.config/fish/completions.

# Print the names of stacks, components, identities or profiles, one per line.
function __atmos_wrap_names
    set -l line
    switch $argv[1]
        case stacks
            set line '^ *"Stack": "([^"]*)"'
        case components
            set line '^ *"Component": "([^"]*)"'
        case profiles
            set line '^ *"Name": "([^"]*)"'
        case identities
            set line '^    "([^"]*)": \\{'
    end
    atmos-wrap list $argv --format json 2>/dev/null </dev/null |
        string match -rg $line | sort -u
end

# Print the bare words before the cursor, one per line.
function __atmos_wrap_words
    set -l skip no
    for word in (commandline -opc)[2..]
        if test $skip = yes
            set skip no
            continue
        end
        switch $word
            case --
                return
            case -s --stack -c --component -i --identity --profile --base-path --config --config-path -C --chdir --logs-level --format
                set skip yes
            case '-*'
            case '*'
                echo $word
        end
    end
end

# Succeed if the bare words so far are exactly these ("?" = any word).
function __atmos_wrap_at
    set -l words (__atmos_wrap_words)
    test (count $words) -eq (count $argv); or return 1
    for i in (seq (count $argv))
        contains -- $words[$i] (string split , -- $argv[$i]); or test $argv[$i] = '?'; or return 1
    end
end

# Succeed if the first bare word is one of these.
function __atmos_wrap_first
    set -l words (__atmos_wrap_words)
    contains -- "$words[1]" $argv
end

complete -c atmos-wrap -f
complete -c atmos-wrap -n '__atmos_wrap_at' -a 'terraform tofu exec aws gcloud az kubectl atmos auth describe list profile validate version why workflow'
complete -c atmos-wrap -n '__atmos_wrap_at terraform,tofu' -a 'plan apply deploy destroy init output show validate fmt refresh import state taint untaint workspace console graph providers force-unlock test shell generate clean'
complete -c atmos-wrap -n '__atmos_wrap_at terraform,tofu generate' -a 'varfile varfiles backend backends'
complete -c atmos-wrap -n '__atmos_wrap_at terraform,tofu "?"; and not __atmos_wrap_at terraform,tofu generate' -a '(__atmos_wrap_names components)'
complete -c atmos-wrap -n '__atmos_wrap_at auth' -a 'login logout whoami list env exec shell validate console user'
complete -c atmos-wrap -n '__atmos_wrap_at auth login,logout,whoami,env,console' -a '(__atmos_wrap_names identities)'
complete -c atmos-wrap -n '__atmos_wrap_at describe' -a 'component config dependents schema stacks'
complete -c atmos-wrap -n '__atmos_wrap_at describe schema' -a 'config manifest'
complete -c atmos-wrap -n '__atmos_wrap_at why' -a '(__atmos_wrap_names identities)'
complete -c atmos-wrap -n '__atmos_wrap_at list values,vars,settings,metadata' -a '(__atmos_wrap_names components)'
complete -c atmos-wrap -n '__atmos_wrap_at describe component,dependents' -a '(__atmos_wrap_names components)'
complete -c atmos-wrap -n '__atmos_wrap_at list' -a 'stacks components instances values vars settings metadata identities profiles'
complete -c atmos-wrap -n '__atmos_wrap_at profile' -a 'list show'
complete -c atmos-wrap -n '__atmos_wrap_at profile show' -a '(__atmos_wrap_names profiles)'
complete -c atmos-wrap -n '__atmos_wrap_at validate' -a stacks
complete -c atmos-wrap -s s -l stack -x -a '(__atmos_wrap_names stacks)' -d 'the stack'
complete -c atmos-wrap -s i -l identity -x -a '(__atmos_wrap_names identities)' -d 'run as this identity'
complete -c atmos-wrap -l profile -x -a '(__atmos_wrap_names profiles)' -d 'settings to lay over atmos.yaml'
complete -c atmos-wrap -s C -l chdir -x -a '(__fish_complete_directories)' -d 'run in this directory'
complete -c atmos-wrap -l base-path -x -a '(__fish_complete_directories)' -d 'root of the repository'
complete -c atmos-wrap -l config -r -F -d 'an atmos.yaml'
complete -c atmos-wrap -l config-path -x -a '(__fish_complete_directories)' -d 'directory of atmos.yaml'
complete -c atmos-wrap -l logs-level -x -a 'Trace Debug Info Warning Off'
complete -c atmos-wrap -l no-color
complete -c atmos-wrap -s h -l help
complete -c atmos-wrap -n '__atmos_wrap_first exec aws gcloud az kubectl atmos why' -s c -l component -x -a '(__atmos_wrap_names components)' -d 'run as the component does'
complete -c atmos-wrap -n '__atmos_wrap_first describe list profile auth why' -l format -x -a 'json yaml table csv tsv'
complete -c atmos-wrap -n '__atmos_wrap_first workflow' -s f -l file -r -F -d 'the workflow file'
complete -c atmos-wrap -n '__atmos_wrap_first workflow' -l dry-run -d 'print what would run'
complete -c atmos-wrap -n '__atmos_wrap_first workflow' -l from-step -x -d 'begin with this step'
complete -c atmos-wrap -n '__atmos_wrap_first terraform tofu' -l dry-run -d 'print what would run'
complete -c atmos-wrap -n '__atmos_wrap_first terraform tofu' -l skip-init
complete -c atmos-wrap -n '__atmos_wrap_first terraform tofu' -l from-plan -d 'apply the saved plan'
complete -c atmos-wrap -n '__atmos_wrap_first terraform tofu' -l accept-state-change
complete -c atmos-wrap -n '__atmos_wrap_first terraform tofu' -o auto-approve
complete -c atmos-wrap -n '__atmos_wrap_first terraform tofu' -o destroy
complete -c atmos-wrap -n '__atmos_wrap_first terraform tofu' -o detailed-exitcode
