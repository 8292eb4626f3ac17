import { fstatSync } from 'node:fs';
import { expect, it } from 'vitest';
import { close, pipe } from '../../../../lib/fd/descriptor.ts';
import { Survivors } from '../../../../lib/servers/moving/survivors.ts';
import type { Departing } from '../../../../lib/transaction/connection-transfer.ts';

function departing(fd: number): Departing {
  return { route: 'web', fd, head: Buffer.from('half'), data: { id: fd }, remote: null };
}

it('keeps a copy of each with what the next program has to know; what it cannot copy stays', async () => {
  const [read, write] = pipe();
  const survivors = new Survivors();
  const [one, gone] = [departing(read), departing(999_999)];
  expect(await survivors.send([one, gone])).toEqual(new Set([one]));
  expect(survivors.connections).toMatchObject([{ route: 'web', data: { id: read } }]);
  const [kept] = survivors.release();
  expect(kept?.descriptor.fd).not.toBe(read);
  expect(fstatSync(kept?.descriptor.fd as number).ino).toBe(fstatSync(read).ino);
  kept?.descriptor.close();
  for (const fd of [read, write]) close(fd);
});

it('takes none any more when it has given back what it had', async () => {
  const [read, write] = pipe();
  const survivors = new Survivors();
  expect(survivors.release()).toEqual([]);
  expect(await survivors.send([departing(read)])).toEqual(new Set());
  expect(survivors.connections).toEqual([]);
  for (const fd of [read, write]) close(fd);
});
