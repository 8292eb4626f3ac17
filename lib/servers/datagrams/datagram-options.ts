import { checkOptionNames } from '../../fd/option-names.ts';

/** Where `bind()` is to receive; what else there is to say was said to `dgram.createSocket()`. */
export interface DatagramOptions {
  /** Under which name the successor finds it; by default one made from the address. 1 to 255 characters, no colon. */
  readonly name?: string;
  /** 0 to 65535, or that as a string (`process.env.PORT`); 0 takes any free port and keeps it across replacements. */
  readonly port?: number | string;
  /** A name or an address of the socket's family; without it every address of the machine. */
  readonly address?: string;
  /** A Unix datagram socket's path, `@name` for a Linux abstract one; instead of a port. The socket can be of either type. */
  readonly path?: string;
  /** Permissions of a socket file, from its first moment; what the umask leaves by default. */
  readonly mode?: number;
}

const datagramNames: Readonly<Record<keyof DatagramOptions, true>> = {
  name: true,
  port: true,
  address: true,
  path: true,
  mode: true,
};

/** What other libraries, and `bind()` of Node's own sockets, call it. */
const otherDatagramNames: Readonly<Record<string, string>> = {
  host: 'address',
  hostname: 'address',
  ip: 'address',
  exclusive: 'A socket is never shared with the workers of node:cluster: leave it out.',
  fd: 'Give it to handoff() as { inherit: [{ name, descriptor }] }, and its name to this call.',
};

/** Throws a TypeError for what `bind()` cannot be told. */
export function checkDatagramOptions(options: DatagramOptions): void {
  if (typeof options !== 'object' || options === null) {
    throw Object.assign(new TypeError('bind() needs an object that says where: { port } or { path }.'), {
      code: 'ERR_INVALID_ARG_TYPE',
    });
  }
  checkOptionNames('bind()', options, datagramNames, otherDatagramNames);
}
