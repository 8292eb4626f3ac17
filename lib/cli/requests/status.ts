import { clearScreenDown, cursorTo } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { type Command, Option } from 'commander';
import { askStatus, speak } from '../../app/command-parts.ts';
import type { JsonObject } from '../../channel/frame.ts';
import type { Call } from '../call/call.ts';
import { controlArgument, timeoutOption } from '../call/control-argument.ts';
import { parseWait } from '../call/duration.ts';
import { describeFailure } from '../call/failure.ts';
import { addSubcommand } from '../call/subcommand.ts';
import { drainingTable } from './draining-table.ts';
import { statusTable } from './status-table.ts';

interface StatusOptions {
  readonly json?: true;
  readonly watch?: true;
  /** Milliseconds. */
  readonly interval: number;
  /** Milliseconds. */
  readonly timeout: number;
}

export function registerStatus(program: Command, call: Call): void {
  addSubcommand(program, call, {
    name: 'status',
    summary: 'what the process on a control path is doing',
    description:
      'Asks the process that answers on a control path what it is doing, and shows its listeners and datagram sockets, and every older generation that still drains, with what it waits for. Nothing is changed by that, and it is answered in the middle of a handoff, too.',
    examples: [
      ['status ./app.sock', 'a table'],
      ['status ./app.sock --json | jq .phase', 'everything that the process tells, for programs'],
      ['status ./app.sock --watch', 'the same table again and again, until Ctrl-C'],
    ],
    exitCodes: ['done', 'usage', 'nobody', 'forbidden', 'foreign', 'silent'],
  })
    .addArgument(controlArgument())
    .option('--json', 'print all of it as JSON, one object a line')
    .option('-w, --watch', 'ask again and again')
    .addOption(
      new Option('--interval <duration>', 'how long to wait in between').argParser(parseWait).default(1_000, '1s'),
    )
    .addOption(timeoutOption())
    .action(async (control: string, options: StatusOptions) => {
      const ask = () => askStatus(control, options.timeout);
      const form = (status: JsonObject) => (options.json ? JSON.stringify(status) : tables(status, call));
      // A path that is wrong will not be right in a second.
      const first = form(await ask());
      if (options.watch) await watch(first, options, () => ask().then(form), call);
      else call.say(first);
    });
}

function tables(status: JsonObject, { paint }: Call): string {
  return [statusTable(status, paint), drainingTable(status, paint)].filter((table) => table !== '').join('\n\n');
}

/** Shows what `look` resolves with, until Ctrl-C. A failure is shown in its place: the process may come again. */
async function watch(
  first: string,
  { interval, json }: StatusOptions,
  look: () => Promise<string>,
  call: Call,
): Promise<void> {
  const ended = new AbortController();
  const end = () => ended.abort();
  process.once('SIGINT', end).once('SIGTERM', end);
  const inPlace = call.stdout.isTTY === true && json !== true;
  let text = first;
  while (!ended.signal.aborted) {
    if (inPlace) redraw(`${text}\n`);
    else call.say(text);
    await delay(interval, undefined, { signal: ended.signal }).catch(() => {});
    if (ended.signal.aborted) return;
    text = await look().catch((error) => failure(error, json === true));
  }
}

function failure(error: unknown, json: boolean): string {
  const { code, message } = describeFailure(error);
  return json
    ? JSON.stringify({ error: { code, message } })
    : [code, message].filter((part) => part !== null).join(': ');
}

function redraw(text: string): void {
  cursorTo(process.stdout, 0, 0);
  clearScreenDown(process.stdout);
  speak(process.stdout, text);
}
