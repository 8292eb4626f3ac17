import { Command } from 'commander';
import { packageVersion } from '../app/command-parts.ts';
import type { Call } from './call/call.ts';
import { hasColours, paintFor } from './call/colours.ts';
import { reportFailure } from './call/failure.ts';
import { type Register, section } from './call/subcommand.ts';
import { registerCompletion } from './completion/completion.ts';
import { registerDev } from './dev/dev.ts';
import { registerExec } from './hosting/exec.ts';
import { registerListen } from './hosting/listen.ts';
import { registerHammer } from './requests/hammer.ts';
import { registerStatus } from './requests/status.ts';
import { registerUpgrade } from './requests/upgrade.ts';

/** Every sub-command, in the order of the help. */
const subcommands: readonly Register[] = [
  registerStatus,
  registerUpgrade,
  registerHammer,
  registerExec,
  registerListen,
  registerDev,
  registerCompletion,
];

const description = `Looks after servers that use fd-handoff: replaced by their next version without refusing a connection.

A <control> is the path of a control socket, what the program gives to handoff({ control }); "@name" is an abstract address of Linux.`;

/** The command with all its sub-commands. */
export function createProgram(call: Call): Command {
  const program = new Command('fd-handoff')
    .description(description)
    .version(packageVersion(), '-v, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'print the help of a sub-command')
    // What a sub-command runs has options of its own.
    .enablePositionalOptions()
    .exitOverride()
    .showHelpAfterError('Try: fd-handoff --help')
    .configureHelp({ styleTitle: (title) => call.paint('bold', title), showGlobalOptions: false })
    .configureOutput({
      writeOut: (text) => call.stdout.write(text),
      writeErr: (text) => call.stderr.write(text),
      getOutHasColors: () => hasColours(call.stdout, call.environment),
      getErrHasColors: () => hasColours(call.stderr, call.environment),
      outputError: (text, write) => write(mistake(text, call)),
    })
    .addHelpText('after', () =>
      section(call, 'More:', [
        'fd-handoff <command> --help has examples and exit codes',
        'NO_COLOR=1 and FORCE_COLOR=1 decide about colours where the terminal should not',
      ]),
    );
  for (const register of subcommands) register(program, call);
  return program;
}

/** Does what the arguments say; the call knows the exit code when this resolves. */
export async function run(args: readonly string[], call: Call): Promise<void> {
  try {
    const program = createProgram(call);
    if (args.length === 0) program.help({ error: true });
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    reportFailure(error, call);
  }
}

/** Commander's words for a mistake in the command line, in the form of all other failures. */
function mistake(text: string, call: Call): string {
  const [what = '', ...advice] = text
    .trim()
    .replace(/^error: /, '')
    .split('\n');
  const name = paintFor(call.stderr, call.environment)('red', 'fd-handoff');
  const meant = advice.map((line) => ` ${line.replace(/^\((.*)\)$/, '$1')}`).join('');
  return `${name}: ${what.replace(/\.$/, '')}.${meant}\n`;
}
