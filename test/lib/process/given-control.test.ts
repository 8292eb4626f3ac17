import { resolve } from 'node:path';
import { beforeEach, expect, it, vi } from 'vitest';

let takeGivenControl: typeof import('../../../lib/process/given-control.ts').takeGivenControl;
let withGivenControl: typeof import('../../../lib/process/given-control.ts').withGivenControl;

// What was given is known for the life of a process.
beforeEach(async () => {
  vi.resetModules();
  ({ takeGivenControl, withGivenControl } = await import('../../../lib/process/given-control.ts'));
});

it('is none where nothing was given, and an empty variable gives nothing', () => {
  const environment = { FD_HANDOFF_CONTROL: '' };
  expect(takeGivenControl({})).toBeNull();
  expect(takeGivenControl(environment)).toBeNull();
  expect(environment).toEqual({});
  expect(withGivenControl({ PATH: '/bin' })).toEqual({ PATH: '/bin' });
});

it('is removed as soon as it is read, and put back for a successor', () => {
  const environment = { FD_HANDOFF_CONTROL: 'dev.sock', PATH: '/bin' };
  expect(takeGivenControl(environment)).toBe(resolve('dev.sock'));
  expect(environment).toEqual({ PATH: '/bin' });
  expect(withGivenControl(environment)).toEqual({ FD_HANDOFF_CONTROL: resolve('dev.sock'), PATH: '/bin' });
  expect(takeGivenControl(environment)).toBe(resolve('dev.sock'));
});

it('leaves an abstract name as it is, and lets the one who starts a successor say otherwise', () => {
  expect(takeGivenControl({ FD_HANDOFF_CONTROL: '@dev' })).toBe('@dev');
  expect(withGivenControl({ FD_HANDOFF_CONTROL: './other.sock' })).toEqual({ FD_HANDOFF_CONTROL: './other.sock' });
});
