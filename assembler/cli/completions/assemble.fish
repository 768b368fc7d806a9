# Completion of assemble(1) for fish 3.1 or newer: see assembler/cli/completion.py.
function _assemble_completion
    # For a command of which it knows nothing, fish completes names of files.
    set -l names "_assemble_nothing "(commandline -ct)
    set -l line (commandline -cp | string join ' ')
    for answer in (_ASSEMBLE_LINE=$line _ASSEMBLE_COMPLETE=fish_complete assemble 2>/dev/null)
        set -l part (string split \t -- $answer)
        switch $part[1]
            case plain
                printf '%s\t%s\n' $part[2] "$part[3]"
            case dir
                complete -C $names | string match -r -- '^.*/$'
            case file
                complete -C $names
            case suffix
                complete -C $names | string match -r -- '^.*(?:/|'(string escape --style=regex -- $part[2])')$'
        end
    end
end
complete --no-files --command assemble --arguments '(_assemble_completion)'
