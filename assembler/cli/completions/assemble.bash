# shellcheck shell=bash
# Completion of assemble(1) for bash 4.4 or newer: see assembler/cli/completion.py.
_assemble_completion() {
    local line=${COMP_LINE:0:COMP_POINT} word prefix='' names='' kind value _
    word=${line##*[[:space:]]}
    [[ $word == --*=* ]] && word=${word#*=}
    # To readline a colon ends a word, unless it was told otherwise.
    [[ $word == *:* && $COMP_WORDBREAKS == *:* ]] && prefix=${word%"${word##*:}"}
    COMPREPLY=()
    while IFS=$'\t' read -r kind value _; do
        case $kind in
            plain) COMPREPLY+=("${value#"$prefix"}") ;;
            dir) names=yes && mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -d -- "$word") ;;
            file) names=yes && mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- "$word") ;;
            suffix)
                names=yes
                mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -X "!*$value" -- "$word")
                mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -d -- "$word")
                ;;
        esac
    done < <(_ASSEMBLE_LINE=$line _ASSEMBLE_COMPLETE=bash_complete "$1" 2>/dev/null)
    # With nothing found, as for a name in quotes, bash looks for files by itself.
    [[ -n $names ]] && compopt -o filenames -o default
    return 0
}
complete -o nosort -F _assemble_completion assemble
