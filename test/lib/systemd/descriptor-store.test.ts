import { fstatSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OwnedFd } from '../../../lib/fd/owned-fd.ts';
import { bindTcp } from '../../../lib/fd/socket.ts';
import { DescriptorStore, freeName, takeStoreSize } from '../../../lib/systemd/descriptor-store.ts';
import { NotifySocket } from '../../../lib/systemd/notify.ts';
import { NotifyReceiver } from '../../support/notify-receiver.ts';

let receiver: NotifyReceiver;
let listener: OwnedFd;
let socket: NotifySocket;

beforeEach(() => {
  receiver = new NotifyReceiver();
  listener = new OwnedFd(bindTcp('127.0.0.1', 0));
  socket = new NotifySocket(receiver.path, (error) => {
    throw error;
  });
});

afterEach(() => {
  listener.close();
  receiver[Symbol.dispose]();
});

it.each([
  [{ FDSTORE: '16' }, 16],
  [{ FDSTORE: '0' }, 0],
  [{}, null],
  [{ FDSTORE: 'many' }, null],
])('the size in %j is %s, and is read once', (environment: NodeJS.ProcessEnv, size) => {
  expect(takeStoreSize(environment)).toBe(size);
  expect(environment).toEqual({});
});

describe('the store', () => {
  it('gets a copy under a name, and is told to keep it when its other end hangs up', () => {
    expect(new DescriptorStore(socket).put('web', listener.fd)).toBe('web');
    const [{ tags, descriptors }] = receiver.read() as [ReturnType<NotifyReceiver['read']>[0]];
    expect(tags).toEqual({ FDSTORE: '1', FDNAME: 'web', FDPOLL: '0' });
    expect(fstatSync(descriptors[0] as number).ino).toBe(fstatSync(listener.fd).ino);
  });

  it('gives another name to what has the name of another, so that one can be let go of alone', () => {
    const store = new DescriptorStore(socket, 5, ['web']);
    expect([store.put('web', listener.fd), store.put('web', listener.fd)]).toEqual(['web#2', 'web#3']);
    store.remove('web#2');
    expect(receiver.tags().at(-1)).toEqual({ FDSTOREREMOVE: '1', FDNAME: 'web#2' });
    expect(store.put('web', listener.fd)).toBe('web#2');
  });

  it('refuses what it would drop without a word', () => {
    const store = new DescriptorStore(socket, 2, ['web']);
    store.put('admin', listener.fd);
    expect(() => store.put('third', listener.fd)).toThrow(expect.objectContaining({ code: 'ERR_HANDOFF_REFUSED' }));
    store.remove('web');
    expect(store.put('third', listener.fd)).toBe('third');
  });

  it.each(['', 'a:b', 'a\nb', 'naïve', 'x'.repeat(256)])('refuses the name %j', (name) => {
    expect(() => new DescriptorStore(socket).put(name, listener.fd)).toThrow(TypeError);
    expect(receiver.tags()).toEqual([]);
  });
});

it('a name that is free is never longer than a name may be', () => {
  const long = 'x'.repeat(255);
  const free = freeName(long, (name) => name === long);
  expect(free).toBe(`${'x'.repeat(253)}#2`);
});
