#compdef assemble
# Completion of assemble(1) for zsh: see assembler/cli/completion.py.
_assemble_completion() {
    local kind value meaning directories= files=
    local -a described suffixes
    while IFS=$'\t' read -r kind value meaning; do
        case $kind in
            plain) described+=("${value//:/\\:}${meaning:+:$meaning}") ;;
            dir) directories=yes ;;
            file) files=yes ;;
            suffix) suffixes+=("$value") ;;
        esac
    done < <(_ASSEMBLE_LINE="${words[1,CURRENT]}" _ASSEMBLE_COMPLETE=zsh_complete $words[1] 2>/dev/null)
    [[ $words[CURRENT] == --*=* ]] && compset -P '*='
    (( $#described )) && _describe -V assemble described
    [[ -n $directories ]] && _files -/
    [[ -n $files ]] && _files
    for value in $suffixes; do
        _files -g "*$value"
    done
    return 0
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _assemble_completion "$@"
else
    compdef _assemble_completion assemble
fi
