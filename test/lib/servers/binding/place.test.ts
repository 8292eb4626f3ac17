import { EventEmitter } from 'node:events';
import { expect, it } from 'vitest';
import { attachTo, type Place } from '../../../../lib/servers/binding/place.ts';

/** A place that does what a test says. */
function place(attach: (attached: EventEmitter) => void): Place<EventEmitter> {
  return { name: 'it', address: {}, inherited: false, closed: false, attach, close: () => {}, remove: () => {} };
}

it.each<[string, (attached: EventEmitter) => void, string | null]>([
  ['at once', (attached) => attached.emit('listening'), null],
  ['later', (attached) => setImmediate(() => attached.emit('listening')), null],
  ['with an error', (attached) => setImmediate(() => attached.emit('error', new Error('taken'))), 'taken'],
  [
    'by throwing',
    () => {
      throw new Error('closed');
    },
    'closed',
  ],
])('attaching ends %s, and leaves no listeners behind', async (_, attach, failure) => {
  const attached = new EventEmitter();
  const attaching = attachTo(place(attach), attached);
  if (failure === null) await attaching;
  else await expect(attaching).rejects.toThrow(failure);
  expect(attached.eventNames()).toEqual([]);
});
