import { existsSync } from 'node:fs';
import { expect, it } from 'vitest';
import { NotifySocket } from '../../../lib/systemd/notify.ts';
import { NotifyListener } from '../../../lib/systemd/notify-listener.ts';
import { eventually } from '../../support/eventually.ts';
import { DescriptorCheck } from '../../support/open-descriptors.ts';

it('hears READY=1 and the last status, and lets a barrier through', async () => {
  await using _ = new DescriptorCheck();
  using listener = new NotifyListener();
  const failures: Error[] = [];
  const said = new NotifySocket(listener.path, (error) => failures.push(error));
  let ready = false;
  void listener.ready.then(() => {
    ready = true;
  });
  said.send({ STATUS: 'Loading' });
  await eventually(() => listener.status === 'Loading');
  expect(ready).toBe(false);
  await said.barrier();
  said.send({ READY: 1, STATUS: 'Up' });
  await listener.ready;
  expect(listener.status).toBe('Up');
  expect(failures).toEqual([]);
});

it('leaves no file behind', () => {
  const listener = new NotifyListener();
  expect(existsSync(listener.path)).toBe(true);
  listener[Symbol.dispose]();
  expect(existsSync(listener.path)).toBe(false);
});
