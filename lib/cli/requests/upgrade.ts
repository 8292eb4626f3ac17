import type { Command } from 'commander';
import { askStatus, requestUpgrade } from '../../app/command-parts.ts';
import type { UpgradeProgress } from '../../transaction/visits/upgrade-request.ts';
import type { Call } from '../call/call.ts';
import { CommandError } from '../call/command-error.ts';
import { controlArgument, timeoutOption } from '../call/control-argument.ts';
import { describeFailure } from '../call/failure.ts';
import { addSubcommand } from '../call/subcommand.ts';

interface UpgradeFlags {
  readonly json?: true;
  /** Milliseconds. */
  readonly timeout: number;
}

export function registerUpgrade(program: Command, call: Call): void {
  addSubcommand(program, call, {
    name: 'upgrade',
    summary: 'have the process on a control path replace itself',
    description:
      'Asks the process that answers on a control path to start its next version and hand over to it, as its own upgrade() does, and waits until that serves. Where it fails, the process that was asked serves on. Ctrl-C ends the waiting and not the upgrade.',
    examples: [
      ['upgrade ./app.sock', 'and shows each step with its time'],
      ['upgrade /run/app/app.sock && echo deployed', 'in a deploy script'],
      ['upgrade ./app.sock --json', 'each step as a JSON object on a line'],
    ],
    exitCodes: ['done', 'failed', 'usage', 'nobody', 'forbidden', 'foreign', 'silent', 'interrupted'],
  })
    .addArgument(controlArgument())
    .option('--json', 'print each step as JSON')
    .addOption(timeoutOption())
    .action((control: string, flags: UpgradeFlags) => upgrade(control, flags, call));
}

async function upgrade(control: string, { json, timeout }: UpgradeFlags, call: Call): Promise<void> {
  call.purpose = 'to do';
  const begun = performance.now();
  const step = (phase: string, text: string, details: object) => {
    const elapsed = Math.round(performance.now() - begun);
    call.say(json ? JSON.stringify({ phase, ...details, elapsed }) : `${`${elapsed} ms`.padStart(9)}  ${text}`);
  };
  const interruption = new AbortController();
  const interrupt = () => interruption.abort();
  process.once('SIGINT', interrupt);
  let asked: number | null = null;
  try {
    const { from, to } = await requestUpgrade(control, {
      timeout,
      signal: interruption.signal,
      onProgress: (progress, by) => {
        asked = by;
        step(progress.phase, describe(progress, by), progress.pid === null ? { from: by } : { pid: progress.pid });
      },
    });
    const text = `process ${to} serves; process ${from} finishes what it has, and leaves`;
    step('done', call.paint('green', text), { pid: to, from });
  } catch (error) {
    if (interruption.signal.aborted) throw interrupted(control, asked);
    // What fails before it has begun is told by the exit code: it was not reached, or did not want to.
    if (asked === null) throw error;
    const { code, message } = describeFailure(error);
    if (json) step('failed', '', { code, message });
    throw new CommandError(await withOwner(control, code, message), { code, exit: 'failed', cause: error });
  } finally {
    process.off('SIGINT', interrupt);
  }
}

function describe({ phase, pid }: UpgradeProgress, from: number): string {
  switch (phase) {
    case 'starting':
      return `process ${from} starts its next version`;
    case 'welcomed':
      return `process ${pid} has come, and is offered everything`;
    case 'descriptors-received':
      return `process ${pid} has the listeners`;
    case 'state-sent':
      return `process ${pid} has the state`;
    case 'ready':
      return `process ${pid} is ready`;
    default:
      return phase;
  }
}

function interrupted(control: string, asked: number | null): CommandError {
  const message =
    asked === null
      ? 'Ended by Ctrl-C before the process had answered; it may begin all the same.'
      : `Ended by Ctrl-C; the upgrade of process ${asked} goes on.`;
  return new CommandError(`${message} Look with: fd-handoff status ${control}`, { code: null, exit: 'interrupted' });
}

/** How long whoever serves now may take to say so, in milliseconds; the failure is worth telling without it. */
const ownerTimeout = 1_000;

/** Where the process that was asked has not said who serves, somebody else is to. */
async function withOwner(control: string, code: string | null, message: string): Promise<string> {
  if (code !== 'ERR_HANDOFF_PREDECESSOR_EXITED') return message;
  try {
    const { pid, generation } = await askStatus(control, ownerTimeout);
    return `${message} Process ${pid}, generation ${generation}, answers there now.`;
  } catch {
    return `${message} Nobody answers there now.`;
  }
}
