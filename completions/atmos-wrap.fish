# Completion of atmos-wrap for fish. Put this file into ~/.config/fish/completions, or source it.
# One call of the program per Tab.

function __atmos_wrap_ask
    atmos-wrap __complete $argv
end

function __atmos_wrap_complete
    set -l IFS \n # where it is empty, fish splits nothing
    set -l before (commandline -cp | string collect)
    set -l whole (commandline -p | string collect)
    set -l behind (string sub -s (math (string length -- "$before") + 1) -- "$whole" | string collect)
    set -l lines (__atmos_wrap_ask --shell=fish "$before" "$behind" 2>/dev/null </dev/null)
    or return
    switch "$lines[1]"
        case 'command *'
            complete -C "$lines[2]"
        case 'program *'
            __fish_complete_command
        case 'files *'
            for path in (__fish_complete_path "$lines[3]")
                echo -- $lines[2]$path
            end
        case 'dirs *'
            for path in (__fish_complete_directories "$lines[3]" '')
                echo -- $lines[2]$path
            end
        case '*'
            printf '%s\n' $lines[2..-1]
    end
end

complete -c atmos-wrap -f -a '(__atmos_wrap_complete)'
