import type { CommandModule } from "yargs";

const SCRIPTS = {
  bash: `_transload() {
  local words
  words=$(transload --get-yargs-completions "\${COMP_WORDS[@]}" 2>/dev/null)
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}")
  [ \${#COMPREPLY[@]} -gt 0 ] || mapfile -t COMPREPLY < <(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}")
}
complete -o nospace -F _transload transload
`,
  zsh: `#compdef transload
_transload() {
  local -a replies
  replies=("\${(@f)$(COMP_CWORD="$((CURRENT-1))" COMP_LINE="$BUFFER" transload --get-yargs-completions "\${words[@]}" 2>/dev/null)}")
  if [[ \${#replies} -gt 0 ]]; then _describe 'transload' replies; else _files; fi
}
compdef _transload transload
`,
  fish: `complete -c transload -a '(transload --get-yargs-completions (commandline -opc) (commandline -ct) 2>/dev/null)'
`,
} as const;

/** `transload completion SHELL`: a script for the shell to source. */
export const completionCommand: CommandModule<object, { shell: string }> = {
  command: "completion <shell>",
  describe: "Print a completion script",
  builder: (yargs) =>
    yargs
      .positional("shell", {
        type: "string",
        choices: Object.keys(SCRIPTS),
        demandOption: true,
        describe: "Which shell",
      })
      .example('eval "$(transload completion bash)"', "complete in this shell"),
  handler: ({ shell }) => {
    process.stdout.write(SCRIPTS[shell as keyof typeof SCRIPTS]);
  },
};
