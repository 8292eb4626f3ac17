import { type Command, InvalidArgumentError, Option } from 'commander';
import { defaultName, resolveDatagramAddress } from '../../app/command-parts.ts';
import { bindUdp } from '../../fd/index.ts';
import type { Handoff } from '../../index.ts';
import type { Call } from '../call/call.ts';
import { addSubcommand } from '../call/subcommand.ts';
import { hostProgram } from './hosting.ts';
import { type Place, parsePlace } from './place.ts';
import { addProgramFlags, type ProgramFlags } from './program-flags.ts';
import { splitWords } from './program-words.ts';

interface ListenFlags extends ProgramFlags {
  readonly control?: string;
}

/** `fd-handoff listen <address…> -- program …` */
export function registerListen(program: Command, call: Call): void {
  const command = addSubcommand(program, call, {
    name: 'listen',
    summary: 'bind addresses, and run a program that serves them',
    description:
      'Binds, then runs the program with the listeners from descriptor 3 on (LISTEN_FDS). Who connects before it is ready waits. With --control it can be replaced by whoever takes over there, and takes over itself where somebody answers: of that one it takes what it would bind, and closes the rest.\n\nAn address is 8080, 127.0.0.1:8080, [::1]:8080, unix:/run/app.sock, unix:@abstract or udp:8125; name= can stand before it, and ,mode=660 ,owner=user:group (of a socket file) ,backlog=511 after it.',
    examples: [
      ['listen 8080 -- ./server', 'every address of the machine, IPv6 and IPv4'],
      [
        'listen web=127.0.0.1:8080 admin=unix:/run/app.sock,mode=660,owner=:www-data -- ./server',
        'two listeners with names (LISTEN_FDNAMES), the second for a group only',
      ],
      ['listen 8080 --control ./app.sock -- gunicorn app:app', 'one that can be replaced: by exec, or a Node server'],
    ],
    exitCodes: ['done', 'failed', 'usage', 'notExecutable', 'notFound'],
    otherExitCodes: [['other', "the program's own; 128 and the number of the signal that ended it"]],
  });
  command
    .usage('[options] <address...> -- <program> [args...]')
    .argument('<address...>', 'where to listen')
    .addOption(new Option('--control <path>', 'where others can take over from this process, or @name'));
  addProgramFlags(command).action(async (words: string[], flags: ListenFlags) => {
    const { before, program } = splitWords(words, command);
    const places = before.map((word) => placeOf(word, command));
    if (places.length === 0) command.error('error: the addresses are missing: they stand before "--"');
    const { control = null } = flags;
    await hostProgram({ control, program, flags, take: (app) => listenAt(app, places) }, call);
  });
}

/** Binds the places, or takes over the predecessor's listeners there; the names, in the same order. */
export async function listenAt(app: Handoff, places: readonly Place[]): Promise<string[]> {
  const names: string[] = [];
  for (const place of places) names.push(await (place.kind === 'udp' ? receiveAt(app, place) : holdAt(app, place)));
  return names;
}

async function holdAt(app: Handoff, { kind: _, ...where }: Exclude<Place, { kind: 'udp' }>): Promise<string> {
  const { name } = await app.hold(where);
  return name;
}

async function receiveAt(app: Handoff, { name, host, port }: Extract<Place, { kind: 'udp' }>): Promise<string> {
  const family = host === undefined || host.includes(':') ? 'udp6' : 'udp4';
  const address = await resolveDatagramAddress({ port, ...(host === undefined ? {} : { address: host }) }, family);
  if (address.family === 'unix') throw new Error('a port is no path');
  const own = name ?? defaultName(address);
  await app.descriptor(own, () => bindUdp(address.address, address.port));
  return own;
}

function placeOf(word: string, command: Command): Place {
  try {
    return parsePlace(word);
  } catch (error) {
    if (error instanceof InvalidArgumentError) return command.error(`error: ${error.message}`);
    throw error;
  }
}
