import { type Command, InvalidArgumentError, Option } from 'commander';
import { requestHammer } from '../../app/command-parts.ts';
import type { Call } from '../call/call.ts';
import { CommandError } from '../call/command-error.ts';
import { controlArgument, timeoutOption } from '../call/control-argument.ts';
import { describeFailure } from '../call/failure.ts';
import { addSubcommand } from '../call/subcommand.ts';

interface HammerFlags {
  readonly pid?: number;
  readonly generation?: number;
  readonly serving?: true;
  readonly json?: true;
  /** Milliseconds. */
  readonly timeout: number;
}

export function registerHammer(program: Command, call: Call): void {
  addSubcommand(program, call, {
    name: 'hammer',
    summary: 'end a generation that still drains, by force',
    description:
      'Asks the process that answers on a control path to have an older generation, which still finishes what it has begun, cut off what is left and end. Without --pid and --generation it is the only one that drains. The one that serves is not ended, unless --serving says so. `status` shows which there are, and what each waits for.',
    examples: [
      ['hammer ./app.sock', 'the one old process that is left'],
      ['hammer ./app.sock --generation 3', 'one of several'],
      ['hammer ./app.sock --pid 4711 --serving', 'the one that serves: nobody does then'],
    ],
    exitCodes: ['done', 'failed', 'usage', 'nobody', 'forbidden', 'foreign', 'silent'],
  })
    .addArgument(controlArgument())
    .addOption(new Option('--pid <pid>', 'the process that is meant').argParser(parseNumber))
    .addOption(new Option('--generation <number>', 'the generation that is meant').argParser(parseNumber))
    .option('--serving', 'it may be the one that serves')
    .option('--json', 'print what was ended as JSON')
    .addOption(timeoutOption())
    .action(async (control: string, flags: HammerFlags) => {
      const { pid = null, generation = null, serving = false, json, timeout } = flags;
      let begun = false;
      const onBegun = () => {
        begun = true;
      };
      const ended = await requestHammer(control, { pid, generation, serving }, { timeout, onBegun }).catch((error) => {
        if (!begun) throw error;
        // The process that was asked has answered in time: it is the other one that does not end.
        const { code, message } = describeFailure(error);
        throw new CommandError(message, { code, exit: 'failed', cause: error });
      });
      const text = serving
        ? `process ${ended.pid} (generation ${ended.generation}), which served, was told to end at once`
        : `process ${ended.pid} (generation ${ended.generation}) has ended`;
      call.say(json ? JSON.stringify(ended) : text);
    });
}

function parseNumber(text: string): number {
  if (/^\d{1,10}$/.test(text)) return Number(text);
  throw new InvalidArgumentError(`"${text}" is no number.`);
}
