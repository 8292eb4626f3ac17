import { Program, type Told } from './program.ts';

/** A shell on a terminal of its own, at which a test types. It tells of every prompt. */
export class Terminal extends Program {
  constructor(env: NodeJS.ProcessEnv) {
    super(
      'script',
      ['-qfc', 'bash --norc --noprofile --noediting -i', '/dev/null'],
      {
        ...env,
        TERM: 'dumb',
        // What the shell is told after a prompt would stand behind that, and no line would begin with what it tells.
        PS1: '',
        PROMPT_COMMAND: 'echo "{\\"event\\":\\"prompt\\",\\"pid\\":$$,\\"count\\":$((++prompts))}"',
      },
      undefined,
      { stdin: 'pipe' },
    );
  }

  /** Resolves when the shell shows its prompt for that time. */
  prompt(count: number): Promise<Told> {
    return this.event('prompt', (told) => told.count === count);
  }

  type(line: string): void {
    this.child.stdin?.write(`${line}\n`);
  }
}
