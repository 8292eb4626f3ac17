import { mkdirSync, openSync, symlinkSync } from 'node:fs';
import http from 'node:http';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { type Handoff, handoff, type UpgradeOptions } from '../../lib/index.ts';
import { ask } from '../support/ask.ts';
import { Scene } from '../support/scene.ts';

/** What a process registers, each in the way in which it is registered late. */
const registrations: { readonly [what: string]: (app: Handoff) => Promise<unknown> } = {
  listen: (app) => app.listen(http.createServer(), { name: 'late', port: 0, host: '127.0.0.1' }),
  hold: (app) => app.hold({ name: 'late', port: 0, host: '127.0.0.1' }),
  state: (app) => app.state('late', { save: () => null, restore: () => {} }),
  descriptor: (app) => app.descriptor('late', () => openSync('/dev/null', 'r')),
};

/** A handoff of this process, which does not end it. */
function begin(options: Parameters<typeof handoff>[0] = {}): Promise<Handoff> {
  return handoff({ signals: false, exit: false, systemd: false, ...options });
}

/** An offer that is under way until `end` is called. */
function offerOf(app: Handoff, options: UpgradeOptions) {
  let end = () => {};
  const waiting = new Promise<void>((resolve) => {
    end = resolve;
  });
  const over = app.upgrade({ ...options, preflight: () => waiting }).catch((error: Error) => error);
  expect(app.status().phase).toBe('offering');
  return { end, over };
}

test.each(Object.keys(registrations))(
  '%s() in the middle of an offer that fails waits, and is done then',
  async (what) => {
    const app = await begin();
    await app.ready();
    const { end, over } = offerOf(app, { command: '/bin/false' });
    let done = false;
    const registered = registrations[what]?.(app).then(() => {
      done = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(done).toBe(false);
    end();
    expect(await over).toMatchObject({ code: 'ERR_HANDOFF_SUCCESSOR_EXITED' });
    await registered;
    await app.shutdown();
  },
);

test('one that comes late is served when the offer is over', async () => {
  const app = await begin();
  await app.ready();
  const { end } = offerOf(app, { command: '/bin/false' });
  const server = http.createServer((_request, response) => response.end('late'));
  const listening = app.listen(server, { port: 0, host: '127.0.0.1' });
  end();
  const { port } = await listening;
  expect((await ask({ port: port as number })).text).toBe('late');
  await app.shutdown();
});

test('after a commit it is refused, and said that it is the successor who has to do it', async () => {
  const app = await begin();
  await app.ready();
  // Any program is a successor that writes its newline and lives on.
  const { end, over } = offerOf(app, {
    command: '/bin/sh',
    args: ['-c', 'echo >&"$FD_HANDOFF_READY_FD"; exec sleep 60'],
  });
  const refused = Object.values(registrations).map((register) =>
    register(app).then(
      () => null,
      (error: Error) => error,
    ),
  );
  end();
  const pid = await over;
  try {
    for (const error of await Promise.all(refused)) {
      expect(error).toMatchObject({
        code: 'ERR_HANDOFF_NOT_READY',
        message: /successor: what comes now is for that one/,
      });
    }
    await app.closed;
  } finally {
    process.kill(pid as number);
  }
});

test('a shutdown in the middle of an offer has the last word', async () => {
  const app = await begin();
  await app.ready();
  const { over } = offerOf(app, { command: '/bin/false' });
  const registered = registrations.hold?.(app);
  await Promise.all([
    app.shutdown(),
    over,
    expect(registered).rejects.toMatchObject({ code: 'ERR_HANDOFF_NOT_READY' }),
  ]);
});

test('a route that is registered in the middle of an offer needs no wait: the offer says nothing of it', async () => {
  const app = await begin();
  await app.ready();
  const { end, over } = offerOf(app, { command: '/bin/false' });
  expect(app.connections('late', () => {})).toBeUndefined();
  end();
  await over;
  await app.shutdown();
});

test('what comes while ready() runs is served after it', async () => {
  const app = await begin();
  const ready = app.ready();
  const server = http.createServer((_request, response) => response.end('served'));
  const { port } = await app.listen(server, { port: 0, host: '127.0.0.1' });
  await ready;
  expect((await ask({ port: port as number })).text).toBe('served');
  await app.shutdown();
});

test('a second handoff() on the control path that this process has says so at once, whichever way it is written', async () => {
  await using scene = new Scene();
  const real = `${scene.folder}/real`;
  mkdirSync(real);
  symlinkSync(real, `${scene.folder}/link`);
  const control = `${real}/app.sock`;
  const twice = { code: 'ERR_HANDOFF_ALREADY_OWNED', message: expect.stringContaining('called twice in process') };
  // The first may not be done yet, have come to its ready() or not, or share.
  const [first, second] = await Promise.allSettled([begin({ control }), begin({ control })]);
  expect(second).toMatchObject({ status: 'rejected', reason: twice });
  expect(first.status).toBe('fulfilled');
  const { value: app } = first as PromiseFulfilledResult<Handoff>;
  await expect(begin({ control: `${scene.folder}/link/app.sock` })).rejects.toMatchObject(twice);
  await app.ready();
  await expect(begin({ control, share: true })).rejects.toMatchObject(twice);
  // Another path is another service.
  const other = await begin({ control: `${real}/other.sock` });
  await Promise.all([other.shutdown(), app.shutdown()]);
  // And one that has left, or has failed, is nobody.
  await expect(
    begin({ control, pidFile: fileURLToPath(new URL('no/such/folder', import.meta.url)) }),
  ).rejects.toThrow();
  const next = await begin({ control });
  await next.shutdown();
});
