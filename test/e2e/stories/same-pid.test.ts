// Story 8: a container's PID 1 is told to re-exec. The container is a PID namespace of its own, as every container has one.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ask } from '../../support/ask.ts';
import { needs } from '../../support/needs.ts';
import { portOf } from '../../support/port-of.ts';
import { Story } from '../../support/story.ts';
import { StrictLoad } from '../../support/strict-load.ts';

const container = ['unshare', '--fork', '--pid', '--kill-child', '--mount-proc'] as const;

test('story 8: the PID stays, the port answers throughout', async (context) => {
  needs(context, ...container, 'true');
  await using story = new Story();
  const server = story.start({ env: { CONTROL: story.control } }, container);
  const port = await portOf(server);
  expect(await server.ready(0)).toMatchObject({ pid: 1 });
  const [pid] = readFileSync(`/proc/${server.pid}/task/${server.pid}/children`, 'utf8').split(' ').map(Number);
  const load = new StrictLoad(port);
  await load.servedBy(1);
  for (let generation = 1; generation <= 3; generation++) {
    await ask({ port }, '/reexec');
    expect(await server.ready(generation)).toMatchObject({ pid: 1, predecessor: { pid: 1 } });
    expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8')).toContain('story-server.js');
  }
  expect(await load.end()).toBeGreaterThan(0);
  process.kill(pid as number, 'SIGTERM');
  expect(await server.exited).toEqual({ code: 0, signal: null });
});
