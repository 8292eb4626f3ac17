import { once } from 'node:events';
import http from 'node:http';
import type { Socket } from 'node:net';
import { expect, it, vi } from 'vitest';
import { FrontListener } from '../../../../lib/servers/http/front-listener.ts';

function behindAnother(): http.Server {
  const server = http.createServer();
  const own = server.listeners('connection') as ((socket: Socket) => void)[];
  return server.removeAllListeners('connection').on('connection', (socket: Socket) => {
    for (const listener of own) listener.call(server, socket);
  });
}

it("is there where Node's own listener is not, and not where others stand beside that", () => {
  expect(new FrontListener(behindAnother()).present).toBe(true);
  expect(new FrontListener(http.createServer().prependListener('connection', () => {})).present).toBe(false);
});

it('is warned of once, by name, with what to do', async () => {
  const emitWarning = vi.spyOn(process, 'emitWarning');
  const front = new FrontListener(behindAnother());
  front.name = 'web';
  const warned = once(process, 'warning');
  front.warn();
  front.warn();
  expect(emitWarning).toHaveBeenCalledOnce();
  expect(await warned).toEqual([
    expect.objectContaining({
      name: 'HandoffWarning',
      code: 'FD_HANDOFF_FRONT_LISTENER',
      message: expect.stringMatching(/"web".*save, restore.*'drain'/),
    }),
  ]);
  emitWarning.mockRestore();
});
