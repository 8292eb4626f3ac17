import { readFileSync } from 'node:fs';
import { InvalidArgumentError } from 'commander';
import type { FileOwner } from '../../index.ts';

/** Where `listen` is to listen, as it stands on the command line. */
export type Place = { readonly name?: string } & (
  | { readonly kind: 'tcp'; readonly host?: string; readonly port: number; readonly backlog?: number }
  | { readonly kind: 'udp'; readonly host?: string; readonly port: number }
  | {
      readonly kind: 'unix';
      readonly path: string;
      readonly mode?: number;
      readonly owner?: FileOwner;
      readonly backlog?: number;
    }
);

const advice = '8080, 127.0.0.1:8080, [::1]:8080, unix:/run/app.sock,mode=660 and udp:8125 are, with name= before each';

/** Options that can stand after an address, each with the kinds that have it. */
const optionKinds: Readonly<Record<string, readonly Place['kind'][]>> = {
  backlog: ['tcp', 'unix'],
  mode: ['unix'],
  owner: ['unix'],
};

/**
 * Reads `[name=]address[,option=value …]`. For commander: throws its error for what cannot be.
 *
 * @param text `8080`, `host:port`, `[::1]:8080`, `unix:/path`, `unix:@abstract`, `udp:port`
 */
export function parsePlace(text: string): Place {
  const [, name, rest = ''] = /^(?:([^=:,/[\]]*)=)?(.*)$/s.exec(text) ?? [];
  const [address = '', ...options] = rest.split(',');
  const place = parseAddress(address, text);
  return {
    ...place,
    ...Object.fromEntries(options.map((option) => parseOption(option, place.kind))),
    ...(name === undefined ? {} : { name: checkName(name) }),
  };
}

function parseAddress(address: string, text: string): Place {
  const path = /^unix:(.+)$/s.exec(address)?.[1];
  if (path !== undefined) return { kind: 'unix', path };
  const [, protocol, bracketed, bare, port] =
    /^(?:(tcp|udp):)?(?:\[([0-9a-fA-F:.%\w]+)\]:|([^:[\]]+):)?(\d{1,5})$/.exec(address) ?? [];
  if (port === undefined || Number(port) > 65_535)
    throw new InvalidArgumentError(`"${text}" is no address: ${advice}.`);
  const host = bracketed ?? bare;
  return {
    kind: protocol === 'udp' ? 'udp' : 'tcp',
    port: Number(port),
    ...(host === undefined || host === '*' ? {} : { host }),
  };
}

function parseOption(option: string, kind: Place['kind']): [string, unknown] {
  const [, name = '', value = ''] = /^(\w+)=(.+)$/s.exec(option) ?? [];
  const kinds = Object.hasOwn(optionKinds, name) ? optionKinds[name] : undefined;
  if (kinds === undefined) {
    throw new InvalidArgumentError(
      `"${option}" is no option of an address: mode=660, owner=user:group and backlog=511 are.`,
    );
  }
  if (!kinds.includes(kind)) {
    throw new InvalidArgumentError(
      `"${name}" is an option of ${kinds.join(' and ')} addresses, and this one is ${kind}.`,
    );
  }
  return [name, name === 'mode' ? parseMode(value) : name === 'owner' ? parseOwner(value) : parseBacklog(value)];
}

function parseMode(text: string): number {
  if (/^0?[0-7]{3}$/.test(text)) return Number.parseInt(text, 8);
  throw new InvalidArgumentError(`"${text}" is no mode: 660 and 0600 are.`);
}

function parseBacklog(text: string): number {
  if (/^\d{1,7}$/.test(text)) return Number(text);
  throw new InvalidArgumentError(`"${text}" is no backlog: a number is.`);
}

function parseOwner(text: string): FileOwner {
  const [user = '', group = ''] = text.split(':');
  if (text.split(':').length > 2 || text === ':')
    throw new InvalidArgumentError(`"${text}" is no owner: www-data:www-data, :33 and 1000 are.`);
  return {
    ...(user === '' ? {} : { uid: idOf(user, '/etc/passwd') }),
    ...(group === '' ? {} : { gid: idOf(group, '/etc/group') }),
  };
}

/** A number, or the one that a name has in a file of passwd(5) or group(5). */
function idOf(text: string, file: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  const lines = readFileSync(file, 'utf8').split('\n');
  const id = lines.map((line) => line.split(':')).find(([name]) => name === text)?.[2];
  if (id === undefined) throw new InvalidArgumentError(`There is no "${text}" in ${file}: give a number.`);
  return Number(id);
}

function checkName(name: string): string {
  if (/^[!-9;-~ ]{1,255}$/.test(name) && !name.startsWith('@')) return name;
  throw new InvalidArgumentError(
    `"${name}" is no name: 1 to 255 printable characters, no colon, not starting with "@".`,
  );
}
