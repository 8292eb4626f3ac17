import { connect } from 'node:net';

/** What a test's server tells of one of its listeners. */
export interface Listening {
  readonly name: string;
  readonly inherited: boolean;
  readonly address?: string;
  readonly port?: number;
  readonly path?: string;
}

/** The environment of a server with these listeners. */
export function listeners(...options: object[]): { LISTENERS: string } {
  return { LISTENERS: JSON.stringify(options) };
}

/** The port of the listener of that name, or of the first, in what a server has told of its `listening`. */
export function portIn(listening: unknown, name?: string): number {
  return (listening as Listening[]).find((one) => name === undefined || one.name === name)?.port as number;
}

/** Resolves with the error code with which a connection to this port is turned away; null where it is accepted. */
export function refusal(port: number, host = '127.0.0.1'): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = connect(port, host);
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'unknown'));
    socket.once('connect', () => {
      socket.destroy();
      resolve(null);
    });
  });
}
