import { expect, it } from 'vitest';
import { listenAt } from '../../../../lib/cli/hosting/listen.ts';
import { describe as describeDescriptor } from '../../../../lib/fd/describe.ts';
import { close } from '../../../../lib/fd/descriptor.ts';
import type { Handoff } from '../../../../lib/index.ts';

/** Says what is asked for, and opens it for a moment. */
function recording(): { app: Handoff; asked: unknown[] } {
  const asked: unknown[] = [];
  const app = {
    hold: async (options: object) => {
      asked.push(options);
      return { name: 'tcp-8080' };
    },
    descriptor: async (name: string, open: () => number) => {
      const fd = open();
      const description = describeDescriptor(fd);
      close(fd);
      asked.push([name, description.kind === 'socket' ? description.address : description.kind]);
      return fd;
    },
  };
  return { app: app as unknown as Handoff, asked };
}

it('holds listeners, and has datagram sockets made, each under a name', async () => {
  const { app, asked } = recording();
  const names = await listenAt(app, [
    { kind: 'tcp', port: 8080, backlog: 7 },
    { kind: 'udp', name: 'metrics', host: '127.0.0.1', port: 0 },
    { kind: 'udp', host: '127.0.0.1', port: 0 },
  ]);
  expect(names).toEqual(['tcp-8080', 'metrics', 'udp4-127.0.0.1-0']);
  expect(asked).toEqual([{ port: 8080, backlog: 7 }, ['metrics', '127.0.0.1'], ['udp4-127.0.0.1-0', '127.0.0.1']]);
});

it('a datagram socket without a host is open to IPv6', async () => {
  const { app, asked } = recording();
  await listenAt(app, [{ kind: 'udp', name: 'any', port: 0 }]);
  expect(asked).toEqual([['any', '::']]);
});
