// An address that changes from one version to the next, while the port stays. First the listener that is there and the one
// that is wanted overlap: Linux binds the second only where both have SO_REUSEPORT.
import { chmodSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ask, askJson } from '../support/ask.ts';
import { kernelListeners, ReservedPort } from '../support/kernel-listeners.ts';
import { type Listening, listeners, portIn, refusal } from '../support/listening.ts';
import { needs } from '../support/needs.ts';
import type { Program } from '../support/program.ts';
import { Scene } from '../support/scene.ts';
import { StrictLoad } from '../support/strict-load.ts';

const asRoot = process.getuid?.() === 0;
/** Debian's "nobody": a user who owns nothing. */
const nobody = 65534;

let scene: Scene;

beforeEach((context) => {
  needs(context, 'ss', '-V');
  scene = new Scene();
});
afterEach(() => scene[Symbol.asyncDispose]());

/** Starts a server with one listener on a port of the system's choice. */
async function start(where: object): Promise<{ first: Program; port: number }> {
  const first = scene.server(listeners({ name: 'web', port: 0, ...where }));
  const { listening } = await first.ready(0);
  return { first, port: portIn(listening) };
}

function addressesOn(port: number): string[] {
  return kernelListeners(port)
    .map(({ address }) => address)
    .sort();
}

test.each<[string, { host?: string; ipv6Only?: boolean }, { host?: string }, { old: string; added: string }, string[]]>(
  [
    [
      '127.0.0.1 to 0.0.0.0',
      { host: '127.0.0.1' },
      { host: '0.0.0.0' },
      { old: '127.0.0.1', added: '127.0.0.2' },
      ['0.0.0.0', '127.0.0.1'],
    ],
    ['127.0.0.1 to every address', { host: '127.0.0.1' }, {}, { old: '127.0.0.1', added: '::1' }, ['*', '127.0.0.1']],
    ['0.0.0.0 to ::', { host: '0.0.0.0' }, { host: '::' }, { old: '127.0.0.1', added: '::1' }, ['*', '0.0.0.0']],
    ['::1 to ::', { host: '::1' }, { host: '::' }, { old: '::1', added: '127.0.0.1' }, ['*', '::1']],
    [
      'IPv6 alone to both',
      { host: '::', ipv6Only: true },
      { host: '::' },
      { old: '::1', added: '127.0.0.1' },
      ['*', '::'],
    ],
  ],
)(
  'wider, %s, under strict load: 0 refused, 0 reset, and both go along from then on',
  async (_, before, after, hosts, there) => {
    const { first, port } = await start(before);
    expect(await refusal(port, hosts.added)).toBe('ECONNREFUSED');
    const bracketed = (host: string) => (host.includes(':') ? `[${host}]` : host);
    const load = new StrictLoad(port, bracketed(hosts.old));
    let previous = first;
    for (const generation of [1, 2, 3]) {
      const next = scene.server(listeners({ name: 'web', port, ...after }));
      const { listening } = await next.ready(generation);
      expect(listening).toMatchObject([{ name: 'web', port, inherited: generation > 1 }]);
      await previous.exited;
      await load.servedBy(next.pid);
      expect((await ask({ port, host: hosts.added })).servedBy).toBe(next.pid);
      expect(addressesOn(port)).toEqual(there);
      expect(next.stderr).not.toContain('FD_HANDOFF');
      previous = next;
    }
    await load.end();
  },
);

test.each<[string, { host?: string }, { host: string }, { kept: string; dropped: string }, string]>([
  [
    '0.0.0.0 to 127.0.0.1',
    { host: '0.0.0.0' },
    { host: '127.0.0.1' },
    { kept: '127.0.0.1', dropped: '127.0.0.2' },
    '127.0.0.1',
  ],
  [':: to 0.0.0.0', { host: '::' }, { host: '0.0.0.0' }, { kept: '127.0.0.1', dropped: '::1' }, '0.0.0.0'],
  ['every address to 127.0.0.1', {}, { host: '127.0.0.1' }, { kept: '127.0.0.1', dropped: '::1' }, '127.0.0.1'],
])(
  'narrower, %s, under strict load: 0 refused, 0 reset, and the rest is refused',
  async (_, before, after, hosts, there) => {
    const { first, port } = await start(before);
    const load = new StrictLoad(port, hosts.kept);
    const second = scene.server(listeners({ name: 'web', port, ...after }));
    expect((await second.ready(1)).listening).toMatchObject([{ name: 'web', port, inherited: false }]);
    await first.exited;
    await load.servedBy(second.pid);
    expect(await refusal(port, hosts.dropped)).toBe('ECONNREFUSED');
    expect(addressesOn(port)).toEqual([there]);
    // No version is told that it has dropped what it has only narrowed without being told which.
    expect(second.stderr).toMatch(/FD_HANDOFF_UNCLAIMED.*"web"/s);
    const third = scene.server(listeners({ name: 'web', port, ...after }));
    expect((await third.ready(2)).listening).toMatchObject([{ name: 'web', port, inherited: true }]);
    await load.servedBy(third.pid);
    await load.end();
  },
);

test('narrower, in place: reexec() answers also who waited in the wide queue meanwhile', async () => {
  const { first, port } = await start({ host: '0.0.0.0' });
  const load = new StrictLoad(port);
  await ask({ port }, '/admin/reexec', {
    env: { ...process.env, CONTROL: scene.control, ...listeners({ name: 'web', port, host: '127.0.0.1' }) },
  });
  await first.ready(1);
  await expect.poll(() => addressesOn(port)).toEqual(['127.0.0.1']);
  expect(await refusal(port, '127.0.0.2')).toBe('ECONNREFUSED');
  await load.end();
});

test.each(['127.0.0.1', '0.0.0.0', '::'])(
  'a version for %s that fails before it is ready has taken nothing',
  async (host) => {
    const { first, port } = await start({ host: host === '127.0.0.1' ? '0.0.0.0' : '127.0.0.1' });
    const load = new StrictLoad(port);
    for (const BEHAVIOUR of ['throw', 'hang']) {
      const second = scene.server({ ...listeners({ name: 'web', port, host }), BEHAVIOUR });
      if (BEHAVIOUR === 'hang') {
        await second.event('hanging');
        expect((await ask({ port })).servedBy).toBe(first.pid);
        second.signal('SIGKILL');
      }
      await second.exited;
    }
    expect(kernelListeners(port)).toHaveLength(1);
    await load.servedBy(first.pid);
    await load.end();
  },
);

test('from both families to IPv6 alone is an error that says why, and the predecessor serves on', async () => {
  const { first, port } = await start({ host: '::' });
  const second = scene.server(listeners({ name: 'web', port, host: '::', ipv6Only: true }));
  expect(await second.exited).toMatchObject({ code: 1 });
  expect(second.stderr).toMatch(
    /ERR_HANDOFF_DESCRIPTOR_MISMATCH.*"web" \(\[::\]:\d+\) of process \d+ takes IPv4.*another port/s,
  );
  expect((await ask({ port })).servedBy).toBe(first.pid);
});

test('bound as root by a process that dropped its rights: EADDRINUSE with whose listener it is', async (context) => {
  if (!asRoot) context.skip('only root can drop its rights');
  chmodSync(scene.folder, 0o755);
  const env = { ...process.env, CONTROL: join(scene.folder, 'control.sock'), USER_ID: String(nobody) };
  const first = scene.server({ ...env, ...listeners({ name: 'web', port: 0, host: '127.0.0.1' }) });
  const port = portIn((await first.ready(0)).listening);
  const next = { env: { ...env, ...listeners({ name: 'web', port, host: '0.0.0.0' }) } };
  const { stderr } = await askJson<{ stderr: string }>({ port }, '/admin/upgrade', next);
  expect(stderr).toMatch(
    new RegExp(
      `EADDRINUSE.*0\\.0\\.0\\.0:${port}.*"web" \\(127\\.0\\.0\\.1:${port}\\) of process ${first.pid} has the port.*another port`,
    ),
  );
  expect((await ask({ port })).servedBy).toBe(first.pid);
});

test('one version with two overlapping listeners fails as it would at a fresh start', async () => {
  const { first, port } = await start({ host: '127.0.0.1' });
  const second = scene.server(
    listeners({ name: 'web', port, host: '127.0.0.1' }, { name: 'all', port, host: '0.0.0.0' }),
  );
  expect(await second.exited).toMatchObject({ code: 1 });
  expect(second.stderr).toMatch(/EADDRINUSE.*This process listens on 127\.0\.0\.1:\d+ already, with "web"/);
  expect((await ask({ port })).servedBy).toBe(first.pid);
});

test('another port by the same name: the old one is refused when the new one is served', async () => {
  const { first, port } = await start({ host: '127.0.0.1' });
  using reserved = new ReservedPort();
  const other = reserved.port;
  const second = scene.server(listeners({ name: 'web', port: other, host: '127.0.0.1' }));
  expect((await second.ready(1)).listening).toMatchObject([{ name: 'web', port: other, inherited: false }]);
  await first.exited;
  expect((await ask({ port: other })).servedBy).toBe(second.pid);
  expect(await refusal(port)).toBe('ECONNREFUSED');
});

test('from a port to a path by the same name, and to another path', async () => {
  const { first, port } = await start({ host: '127.0.0.1' });
  const paths = [join(scene.folder, 'one.sock'), join(scene.folder, 'two.sock')] as const;
  const second = scene.server(listeners({ name: 'web', path: paths[0] }));
  expect((await second.ready(1)).listening).toMatchObject([{ name: 'web', path: paths[0], inherited: false }]);
  await first.exited;
  expect(await refusal(port)).toBe('ECONNREFUSED');
  const load = new StrictLoad(paths[0]);
  await load.servedBy(second.pid);
  await load.end();
  const third = scene.server(listeners({ name: 'web', path: paths[1] }));
  expect((await third.ready(2)).listening).toMatchObject([
    { name: 'web', path: paths[1], inherited: false } satisfies Listening,
  ]);
  await second.exited;
  expect((await ask({ socketPath: paths[1] })).servedBy).toBe(third.pid);
  expect(existsSync(paths[0])).toBe(false);
});
