import { type Command, Option } from 'commander';
import type { Handoff, InheritedDescriptor } from '../../index.ts';
import type { Call } from '../call/call.ts';
import { CommandError } from '../call/command-error.ts';
import { addSubcommand } from '../call/subcommand.ts';
import { hostProgram } from './hosting.ts';
import { listenAt } from './listen.ts';
import { type Place, parsePlace } from './place.ts';
import { addProgramFlags, type ProgramFlags } from './program-flags.ts';
import { splitWords } from './program-words.ts';

interface ExecFlags extends ProgramFlags {
  readonly only?: readonly string[];
  readonly orListen?: readonly Place[];
}

/** `fd-handoff exec <control> -- program …` */
export function registerExec(program: Command, call: Call): void {
  const command = addSubcommand(program, call, {
    name: 'exec',
    summary: 'take over for a program in any language',
    description:
      'Takes over from the process that answers at <control>, for a program that knows nothing of fd-handoff. The program gets the listeners from descriptor 3 on; once it is ready the predecessor stops accepting, finishes what it has, and leaves. Until then every failure leaves the predecessor serving.\n\nThis process stays, as the parent of the program: whoever takes over next does so from it. It passes signals on to the program, and has its exit code.',
    examples: [
      ['exec ./app.sock -- gunicorn app:app', 'a Python server takes over from a Node server, or from another exec'],
      ['exec ./app.sock --ready-when http:/health -- ./server', 'one that does not say when it is ready'],
      ['exec ./app.sock --or-listen 8080 -- ./server', 'binds the port where nobody is to take over from'],
      [
        "exec ./app.sock --convention nginx --stop-signal QUIT --ready-when tcp -- nginx -g 'daemon off;'",
        'nginx, which has a variable of its own and stops in good order at QUIT',
      ],
    ],
    exitCodes: ['done', 'failed', 'usage', 'nobody', 'forbidden', 'foreign', 'notExecutable', 'notFound'],
    otherExitCodes: [['other', "the program's own; 128 and the number of the signal that ended it"]],
  });
  command
    .usage('[options] <control> -- <program> [args...]')
    .argument('<control>', 'path of the control socket, or @name')
    .argument('<program...>', 'what to run, and its arguments: after --');
  addProgramFlags(command)
    .addOption(
      new Option(
        '--only <name>',
        'give the program this listener, in the order of these; close the others (repeatable)',
      ).argParser(collect),
    )
    .addOption(
      new Option('--or-listen <address>', 'bind this where nobody answers at <control> (repeatable)').argParser(
        (text: string, before: readonly Place[] = []) => [...before, parsePlace(text)],
      ),
    )
    .action(async (control: string, words: string[], flags: ExecFlags) => {
      const { before, program } = splitWords(words, command);
      if (before.length > 0) command.error(`error: "${before[0]}" stands before "--": one <control> does`);
      await hostProgram({ control, program, flags, take: (app) => take(app, control, flags) }, call);
    });
}

/** Everything that there is; the names of what the program gets. */
async function take(app: Handoff, control: string, { only, orListen }: ExecFlags): Promise<string[]> {
  const { inherited, predecessor } = app;
  if (predecessor === null && inherited.length === 0) {
    if (orListen !== undefined) return listenAt(app, orListen);
    throw new CommandError(
      `Nobody answers at ${control}, so that there is nothing to take over. Give --or-listen 8080 to bind a port in that case, or start with: fd-handoff listen 8080 --control ${control} -- …`,
      { code: null, exit: 'nobody' },
    );
  }
  const wanted = inherited.filter(({ kind, name }) => kind === 'other' || (only?.includes(name) ?? true));
  for (const one of wanted) await claim(app, one);
  const served = wanted.filter(({ kind }) => kind !== 'other').map(({ name }) => name);
  const missing = only?.find((name) => !served.includes(name));
  if (missing === undefined && served.length > 0) return [...(only ?? served)];
  const offered = inherited.map(({ name }) => `"${name}"`).join(', ') || 'nothing';
  throw new CommandError(
    `The process at ${control} offers no listener${missing === undefined ? '' : ` "${missing}"`}, but ${offered}.`,
    { code: null, exit: 'failed' },
  );
}

/** What is no listener is kept for whoever comes next. */
async function claim(app: Handoff, { name, kind, backlog }: InheritedDescriptor): Promise<void> {
  if (kind === 'listener') await app.hold({ name, ...(backlog === undefined ? {} : { backlog }) });
  else await app.descriptor(name, () => Promise.reject(new Error(`"${name}" is gone`)));
}

function collect(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}
