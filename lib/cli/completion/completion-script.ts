/**
 * What a shell reads to complete the command: it asks the command itself, by `fd-handoff __complete <words>`, which
 * answers with a candidate a line (the word, a tab, what it is for) and, last, with what the shell is to add by itself:
 * `:nothing`, `:files` or `:commands`.
 */
export const completionScripts = {
  bash: `# bash completion of fd-handoff: eval "$(fd-handoff completion bash)"
_fd_handoff() {
  local line besides=:nothing current=\${COMP_WORDS[COMP_CWORD]}
  COMPREPLY=()
  while IFS= read -r line; do
    case $line in
      :*) besides=$line ;;
      *) COMPREPLY+=("\${line%%$'\\t'*}") ;;
    esac
  done < <("\${COMP_WORDS[0]/#\\~/$HOME}" __complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  case $besides in
    :files) compopt -o default ;;
    :commands) mapfile -t COMPREPLY < <(compgen -c -- "$current"; compgen -f -- "$current") ;;
  esac
}
complete -F _fd_handoff fd-handoff
`,
  zsh: `#compdef fd-handoff
# zsh completion of fd-handoff: eval "$(fd-handoff completion zsh)", or a file _fd-handoff in a folder of $fpath
_fd_handoff() {
  local line besides=:nothing
  local -a candidates
  while IFS= read -r line; do
    case $line in
      :*) besides=$line ;;
      *) candidates+=("\${\${line//:/\\\\:}/$'\\t'/:}") ;;
    esac
  done < <("\${(Q)words[1]}" __complete "\${(@Q)words[2,CURRENT]}" 2>/dev/null)
  (( $#candidates )) && _describe -t fd-handoff fd-handoff candidates
  case $besides in
    :files) _files ;;
    :commands) _alternative 'commands:command:_command_names -e' 'files:file:_files' ;;
  esac
}
if [[ $funcstack[1] == _fd-handoff ]]; then
  _fd_handoff "$@"
else
  (( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }
  compdef _fd_handoff fd-handoff
fi
`,
  fish: `# fish completion of fd-handoff: fd-handoff completion fish | source
function __fd_handoff_complete
  set -l words (commandline -opc)
  set -l current (commandline -ct)
  for line in ($words[1] __complete $words[2..-1] "$current" 2>/dev/null)
    switch $line
      case ':files'
        __fish_complete_path "$current"
      case ':commands'
        complete -C "$current"
      case ':*'
      case '*'
        echo $line
    end
  end
end
complete -c fd-handoff -f -a '(__fd_handoff_complete)'
`,
} as const;

export type Shell = keyof typeof completionScripts;

export const shells = Object.keys(completionScripts) as Shell[];
