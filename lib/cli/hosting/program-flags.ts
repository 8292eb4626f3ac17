import { constants } from 'node:os';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { conventions, parseReadiness } from '../../app/command-parts.ts';
import type { ProgramOptions } from '../../index.ts';
import { parseDuration } from '../call/duration.ts';

/** What can be said of the program that is to serve. */
export interface ProgramFlags {
  readonly readyWhen?: string;
  readonly readyFd?: number;
  /** Milliseconds. */
  readonly readyTimeout: number;
  readonly stopSignal: NodeJS.Signals;
  /** Milliseconds; without it the limits of `handoff()` hold. */
  readonly stopTimeout?: number;
  readonly convention: NonNullable<ProgramOptions['convention']>;
  readonly notifyFd?: number;
}

/** Adds them to a sub-command. */
export function addProgramFlags(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--ready-when <what>',
        'tcp or http:/path: it accepts or answers on its first listener; tcp:9000 or http://127.0.0.1:9000/path: where it alone listens; after:2s: it still runs (default: it says READY=1 to its NOTIFY_SOCKET, or a newline on its ready descriptor)',
      ).argParser(checkReadiness),
    )
    .addOption(
      new Option(
        '--ready-fd <number>',
        'the number of its ready descriptor, as in notification-fd of s6 (default: FD_HANDOFF_READY_FD tells it)',
      ).argParser(parseDescriptor),
    )
    .addOption(
      new Option('--ready-timeout <duration>', 'how long it may take to be ready')
        .default(60_000, '60s')
        .argParser(parseDuration),
    )
    .addOption(
      new Option('--stop-signal <signal>', 'what tells it to finish what it has and leave')
        .default('SIGTERM')
        .argParser(parseSignal),
    )
    .addOption(
      new Option(
        '--stop-timeout <duration>',
        'how long it may take for that before it is killed (default: 30s, and an hour where another one serves)',
      ).argParser(parseDuration),
    )
    .addOption(
      new Option(
        '--convention <name>',
        'by which variables it finds its listeners: LISTEN_FDS, NGINX or SERVER_STARTER_PORT',
      )
        .choices([...conventions])
        .default('systemd'),
    )
    .addOption(
      new Option(
        '--notify-fd <number>',
        'write a newline to this descriptor, and close it, when it is ready: for s6, which runs this command',
      ).argParser(parseDescriptor),
    );
}

function checkReadiness(text: string): string {
  try {
    parseReadiness(text);
    return text;
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

function parseDescriptor(text: string): number {
  if (/^\d{1,4}$/.test(text) && Number(text) >= 3) return Number(text);
  throw new InvalidArgumentError(`"${text}" is no descriptor that can be used here: 3 and higher numbers are.`);
}

/** `TERM`, `sigterm` and `SIGTERM` are the same. */
function parseSignal(text: string): NodeJS.Signals {
  const name = `SIG${text.toUpperCase().replace(/^SIG/, '')}`;
  if (Object.hasOwn(constants.signals, name)) return name as NodeJS.Signals;
  throw new InvalidArgumentError(`There is no signal "${text}".`);
}
