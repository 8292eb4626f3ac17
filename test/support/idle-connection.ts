import type { Json } from '../../lib/channel/frame.ts';
import { OwnedFd } from '../../lib/fd/owned-fd.ts';
import { acceptedSocket } from '../../lib/servers/internals/accepting.ts';
import { Mover, type SendBatch } from '../../lib/servers/moving/mover.ts';
import type { Served } from '../../lib/servers/serving/served.ts';
import { eventually } from './eventually.ts';
import type { RawClient } from './raw-client.ts';
import type { ServedServer } from './served-server.ts';

/** A request, and by which words its answer has come. */
export interface Exchange {
  readonly request: string;
  readonly answered: string;
}

/** Gives connections to `target`, as a successor takes those of its predecessor: what it does not take stays. */
export function sendTo(target: Served): SendBatch {
  return async (batch) =>
    new Set(
      batch.filter(({ fd, data }) => {
        const copy = OwnedFd.dup(fd, 'a moved connection');
        const socket = acceptedSocket(target.server, copy.fd);
        copy.release();
        const adopted = target.connections.adopt(socket, JSON.parse(JSON.stringify(data)) as Json);
        if (!adopted) socket.destroy();
        return adopted;
      }),
    );
}

/** A client that `scene` has answered once, and whose connection is idle since. */
export async function idleClient(scene: ServedServer, { request, answered }: Exchange): Promise<RawClient> {
  const client = await scene.connect();
  client.send(request);
  await client.until(answered);
  return client;
}

/** The same, where the one that has answered it was `former`, and its connection has moved to `scene` since. */
export async function movedClient(former: ServedServer, scene: ServedServer, exchange: Exchange): Promise<RawClient> {
  const client = await idleClient(former, exchange);
  await moveAll(former, scene);
  return client;
}

/** Moves what can leave `former`; resolves when all has. */
export async function moveAll(former: ServedServer, scene: ServedServer): Promise<void> {
  const { connections } = former.served;
  connections.move(new Mover(sendTo(scene.served)), 'listener:web');
  await eventually(() => connections.sockets.size === 0);
}
