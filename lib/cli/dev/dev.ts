import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { type Command, Option } from 'commander';
import { controlVariable, defaultRepeatWithin, GivenOrders } from '../../app/command-parts.ts';
import type { Call } from '../call/call.ts';
import { type Colour, paintFor } from '../call/colours.ts';
import { CommandError } from '../call/command-error.ts';
import { parseWait } from '../call/duration.ts';
import { addSubcommand } from '../call/subcommand.ts';
import { DevSession } from './dev-session.ts';
import { SourceWatcher, usualExtensions } from './source-watcher.ts';

/**
 * How long a program may take to end, in milliseconds. The library's default drain and its hooks may take forty seconds
 * together: a version with a request in flight ends by its own limits and not by this one.
 */
const defaultStopTimeout = 45_000;

/** In milliseconds: an editor that writes a file in two steps, or a formatter that runs when it is saved, is done by then. */
const defaultDelay = 100;

/** What ends the session, and what the programs are told: SIGHUP would replace one, and means here that the terminal is gone. */
const stops = { SIGINT: 'SIGINT', SIGTERM: 'SIGTERM', SIGHUP: 'SIGTERM' } as const;

interface DevFlags {
  readonly watchPath?: readonly string[];
  readonly ignore?: readonly string[];
  readonly ext: readonly string[];
  /** Milliseconds. */
  readonly delay: number;
  readonly control?: string;
  /** Milliseconds. */
  readonly stopTimeout: number;
  readonly listen?: readonly string[];
  readonly readyWhen?: string;
  readonly exit?: true;
  readonly stdin: boolean;
}

export function registerDev(program: Command, call: Call): void {
  addSubcommand(program, call, {
    name: 'dev',
    summary: 'run a program, and start it again when its files change',
    description:
      'Runs a program, and starts its next version beside it when a file changes: that takes over, with the listeners and the open connections. One that does not start leaves the old one serving, and its error is on the screen. The program has to call handoff(); it needs no control path, and one that it gives is not used meanwhile. One that does not call it is run with --listen, or else ended and started again.\n\nTyped on the terminal, "rs" and Enter starts it again, Ctrl-C ends it, and Ctrl-C again cuts off what is left.',
    examples: [
      ['dev -- node server.js', 'watches this folder'],
      ['dev --watch-path src --watch-path config.yaml -- node --import tsx src/server.ts', 'these and nothing else'],
      ["dev --ignore '*.test.js' --ignore public -- npm start", 'leaves out tests, and what browsers load'],
      ['dev --ext js,html,sql -- node server.js', 'files of other kinds, too'],
      [
        'dev --listen 8080 -- gunicorn app:app',
        'a program in another language, which takes the listener by LISTEN_FDS',
      ],
    ],
    exitCodes: ['usage', 'notExecutable', 'notFound'],
    otherExitCodes: [['other', "the program's own; 128 and the number of the signal that ended it"]],
  })
    .option('--watch-path <path>', 'a file or folder to watch, in place of this folder (repeatable)', collect)
    .option('--ignore <pattern>', 'what not to watch: a name, or a path with * and ** (repeatable)', collect)
    .addOption(
      new Option('--ext <list>', 'which files count, by their extensions')
        .argParser((text) => text.split(',').map((extension) => extension.trim().replace(/^\./, '')))
        .default(usualExtensions, usualExtensions.join(',')),
    )
    .addOption(
      new Option('--delay <duration>', 'how long nothing more may have changed')
        .argParser(parseWait)
        .default(defaultDelay, '100ms'),
    )
    .option('--control <path>', 'the control path of the programs, or @name (default: one in a temporary folder)')
    .addOption(
      new Option('--stop-timeout <duration>', 'how long the program may take to end when it is told to')
        .argParser(parseWait)
        .default(defaultStopTimeout, '45s'),
    )
    .option('--listen <address>', 'bind this for a program that does not call handoff() (repeatable)', collect)
    .addOption(new Option('--ready-when <what>', 'with --listen: when it is ready; see: fd-handoff listen --help'))
    .option('--exit', 'end when the program ends by itself, instead of waiting for a change')
    .option('--no-stdin', 'do not read the terminal')
    .argument('<program>', 'what to run')
    .argument('[args...]', 'its arguments')
    .passThroughOptions()
    .action((name: string, args: string[], flags: DevFlags) => dev(name, args, flags, call));
}

async function dev(command: string, args: readonly string[], flags: DevFlags, call: Call): Promise<void> {
  call.purpose = 'to do';
  const paint = paintFor(call.stderr, call.environment);
  const say = (colour: Colour | null, text: string) => {
    call.note(`${paint('dim', '[fd-handoff]')} ${colour === null ? text : paint(colour, text)}`);
  };
  using place = ControlPlace.of(flags.control ?? call.environment[controlVariable]);
  const session = new DevSession({
    ...commandLine(command, args, flags),
    control: place.path,
    environment: { ...call.environment, [controlVariable]: place.path },
    stopTimeout: flags.stopTimeout,
    endsWithProgram: flags.exit === true,
    say,
  });
  const orders = new GivenOrders(defaultRepeatWithin);
  for (const [signal, told] of Object.entries(stops)) {
    process.on(signal, () => {
      // Under npm with bash, say, one Ctrl-C is two signals: the second is not the one that asks for haste.
      const hearing = orders.hear('shutdown', signal as NodeJS.Signals);
      if (hearing === 'order' || hearing === 'insisted') session.stop(told);
    });
  }
  const paths = flags.watchPath ?? ['.'];
  const files = [command, ...args].filter((word) => existsSync(word) && statSync(word).isFile());
  // First, so that no change after the program's start is missed.
  await using _watcher = await SourceWatcher.start({
    folder: process.cwd(),
    paths: paths.map(checkExists),
    files,
    // The program's own kind counts as well: app.py, say.
    extensions: [...flags.ext, ...files.map((file) => extname(file).slice(1)).filter((extension) => extension !== '')],
    ignored: flags.ignore ?? [],
    delay: flags.delay,
    onChange: (changed) => session.restart(changed),
    onError: (error) => say('red', `not everything can be watched: ${advise(error)}`),
  });
  const typed = flags.stdin ? readTerminal(session) : null;
  say('dim', `control path ${place.path}; watching ${paths.join(', ')}${typed === null ? '' : '; "rs" starts again'}`);
  try {
    call.exitCode = await session.run();
  } finally {
    typed?.close();
  }
}

/** One that takes its listeners by number is run behind this very command, which takes over from the one before it. */
function commandLine(command: string, args: readonly string[], { listen, readyWhen }: DevFlags) {
  if (listen === undefined) {
    if (readyWhen === undefined) return { command, args };
    throw new CommandError('--ready-when is of use with --listen only: who calls handoff() says when it is ready.', {
      code: null,
      exit: 'usage',
    });
  }
  const ready = readyWhen === undefined ? [] : ['--ready-when', readyWhen];
  return {
    command: process.execPath,
    args: [process.argv[1] as string, 'listen', ...ready, ...listen, '--', command, ...args],
  };
}

function checkExists(path: string): string {
  if (existsSync(path)) return path;
  throw new CommandError(`There is no ${path} to watch.`, { code: null, exit: 'usage' });
}

/** Where the programs take over from each other: where somebody says, or in a folder that goes with the session. */
class ControlPlace implements Disposable {
  readonly path: string;
  readonly #folder: string | null;

  private constructor(path: string, folder: string | null) {
    this.path = path;
    this.#folder = folder;
  }

  static of(path: string | undefined): ControlPlace {
    if (path !== undefined && path !== '') return new ControlPlace(path, null);
    const folder = mkdtempSync(join(tmpdir(), 'fd-handoff-dev-'));
    return new ControlPlace(join(folder, 'control.sock'), folder);
  }

  [Symbol.dispose](): void {
    if (this.#folder !== null) rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Only a terminal: what comes from a pipe is not meant for this command. */
function readTerminal(session: DevSession) {
  if (!process.stdin.isTTY) return null;
  const lines = createInterface({ input: process.stdin });
  lines.on('line', (line) => {
    if (line.trim() === 'rs') session.restart();
  });
  return lines;
}

function advise(error: NodeJS.ErrnoException): string {
  if (error.code !== 'ENOSPC' && error.code !== 'EMFILE') return error.message;
  return `${error.message}. The system's limit is reached (fs.inotify.max_user_watches, or open files): narrow it by --watch-path or --ignore, or raise that.`;
}

function collect(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}
