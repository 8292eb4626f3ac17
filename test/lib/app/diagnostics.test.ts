import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { expect, test } from 'vitest';
import { type Diagnostics, publish, publishEvent } from '../../../lib/app/diagnostics.ts';
import type { Handoff } from '../../../lib/index.ts';

const handoff = { generation: 2 } as Handoff;

/** What is published on a channel while `act` runs. */
function heardOn(channel: keyof Diagnostics<Handoff>, act: () => void): unknown[] {
  const heard: unknown[] = [];
  const listen = (message: unknown) => heard.push(message);
  subscribe(channel, listen);
  try {
    act();
  } finally {
    unsubscribe(channel, listen);
  }
  return heard;
}

test('an event is published with the handoff that it is about', () => {
  expect(heardOn('fd-handoff:commit', () => publishEvent(handoff, 'commit', { pid: 7, mode: 'replace' }))).toEqual([
    { handoff, pid: 7, mode: 'replace' },
  ]);
});

test('so is one that has nothing to tell', () => {
  expect(heardOn('fd-handoff:pause', () => publishEvent(handoff, 'pause', undefined))).toEqual([{ handoff }]);
});

test('and what is no event', () => {
  const message = { handoff, from: 'starting', to: 'taking-over', cause: 'ready()' } as const;
  expect(heardOn('fd-handoff:phase', () => publish('fd-handoff:phase', message))).toEqual([message]);
});
