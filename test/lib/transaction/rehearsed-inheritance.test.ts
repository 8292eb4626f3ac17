import { readSync, writeSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { getCloseOnExec } from '../../../lib/fd/descriptor.ts';
import { OwnedFd } from '../../../lib/fd/owned-fd.ts';
import { bindTcp, listen } from '../../../lib/fd/socket.ts';
import {
  introductionLine,
  RehearsedInheritance,
  readIntroduction,
} from '../../../lib/transaction/rehearsed-inheritance.ts';
import { DescriptorCheck } from '../../support/open-descriptors.ts';

let descriptors: DescriptorCheck;

beforeEach(() => {
  descriptors = new DescriptorCheck();
});
afterEach(() => descriptors[Symbol.asyncDispose]());

it('names what a real successor would inherit, and gives harmless descriptors for it', () => {
  using listener = new OwnedFd(bindTcp('127.0.0.1', 0), 'a listener');
  listen(listener.fd, 8);
  const line = introductionLine(2, [{ name: 'web', fd: listener.fd, notes: { backlog: 8 } }]);
  const introduction = readIntroduction(line);
  if (introduction === null) throw new Error('it cannot be read');
  const inheritance = new RehearsedInheritance(introduction);
  expect(inheritance).toMatchObject({
    rehearsed: true,
    generation: 3,
    predecessor: { pid: process.pid, generation: 2 },
  });
  const unclaimed = [{ name: 'web', kind: 'listener', address: '127.0.0.1', port: expect.any(Number), backlog: 8 }];
  expect(inheritance.unclaimed).toMatchObject(unclaimed);
  const taken = inheritance.take('web');
  if (taken === null) throw new Error('it cannot be taken');
  using descriptor = taken.descriptor;
  expect(taken.entry).toMatchObject({ name: 'web', kind: 'listener' });
  expect(getCloseOnExec(descriptor.fd)).toBe(true);
  expect([writeSync(descriptor.fd, 'swallowed'), readSync(descriptor.fd, Buffer.alloc(9))]).toEqual([9, 0]);
  expect([inheritance.take('web'), inheritance.unclaimed, inheritance.state()]).toEqual([null, [], null]);
});

it.each([
  '',
  'HTTP/1.1 400',
  '[]',
  'null',
  '{}',
  '{"pid":1,"generation":0}',
  '{"pid":1.5,"generation":0,"descriptors":[]}',
  '{"pid":1,"generation":0,"descriptors":[{"name":"web"}]}',
])('"%s" is no introduction', (line) => {
  expect(readIntroduction(line)).toBeNull();
});
