import { constants, openSync } from 'node:fs';
import { afterEach, expect, it } from 'vitest';
import { OwnedFd } from '../../../lib/fd/owned-fd.ts';
import { InheritedDescriptors } from '../../../lib/transaction/inherited-descriptors.ts';
import type { Inherited } from '../../../lib/transaction/manifest.ts';

const opened: OwnedFd[] = [];

afterEach(() => {
  for (const descriptor of opened.splice(0)) descriptor.close();
});

function inherited(name: string): Inherited {
  const descriptor = new OwnedFd(openSync('/dev/null', constants.O_RDWR), name);
  opened.push(descriptor);
  return { entry: { name, kind: 'character' }, descriptor };
}

it('holds each until it is taken out, and again when it is put back', () => {
  const [web, admin] = [inherited('web'), inherited('admin')];
  const descriptors = new InheritedDescriptors([web, admin]);
  expect(descriptors.borrow('web')).toBe(web.descriptor.fd);
  expect(descriptors.take('web')).toBe(web);
  expect(descriptors.take('web')).toBeNull();
  expect(descriptors.borrow('web')).toBeNull();
  expect(descriptors.held).toEqual([admin]);
  descriptors.putBack(web);
  expect(descriptors.take('web')).toBe(web);
});

it('lists the reserved ones among what it holds, and not among what a program may ask for', () => {
  const descriptors = new InheritedDescriptors(['@ready', 'web', '@control'].map(inherited));
  expect(descriptors.held.map(({ entry }) => entry.name)).toEqual(['@ready', 'web', '@control']);
  expect(descriptors.unclaimed.map(({ name }) => name)).toEqual(['web']);
});

it('closes what nobody took, and nothing else', () => {
  const [web, admin] = [inherited('web'), inherited('admin')];
  const descriptors = new InheritedDescriptors([web, admin]);
  descriptors.take('web');
  descriptors.closeHeld();
  expect([web, admin].map(({ descriptor }) => descriptor.closed)).toEqual([false, true]);
  expect(descriptors.held).toEqual([]);
});
