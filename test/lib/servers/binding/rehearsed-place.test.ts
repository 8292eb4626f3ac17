import { expect, it } from 'vitest';
import { RehearsedPlace } from '../../../../lib/servers/binding/rehearsed-place.ts';

const wanted = { family: 'tcp', host: null, address: '::', port: 0 } as const;

it('has the address of the predecessor’s listener, where there is one', () => {
  const entry = { name: 'web', kind: 'listener', backlog: 511, address: '0.0.0.0', port: 8080 };
  const place = new RehearsedPlace('web', wanted, entry);
  expect(place).toMatchObject({ name: 'web', inherited: true, closed: false });
  expect(place.address).toEqual({ address: '0.0.0.0', port: 8080 });
});

it('has the one that was asked for, where a new one would be bound; and of a free port nobody knows the number', () => {
  const place = new RehearsedPlace('web', wanted, null);
  expect(place.inherited).toBe(false);
  expect(place.address).toEqual({ address: '::', port: 0 });
  expect(new RehearsedPlace('local', { family: 'unix', path: '/run/web.sock' }, null).address).toEqual({
    path: '/run/web.sock',
  });
});

it('cannot be served, and there is nothing to let go of', () => {
  const place = new RehearsedPlace('web', wanted, null);
  expect(() => place.attach()).toThrow('rehearsal');
  place.close();
  place.remove();
});
