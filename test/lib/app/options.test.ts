import { expect, it } from 'vitest';
import { readOptions } from '../../../lib/app/options.ts';

it('a slip is answered with the option that is meant', () => {
  expect(() => readOptions({ drainTimeOut: 1 } as never)).toThrow(
    expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE', message: expect.stringContaining('"drainTimeout"') }),
  );
});

it('handoff() is told of an option that it does not have before anything is done with the others', () => {
  expect(() => readOptions({ control: 7, pidfile: '/x' } as never)).toThrow(/has no option "pidfile"/);
});

it.each([[{}], [[{ name: 'web' }]], [[{ name: 'web', descriptor: 3 }]], [[null]]])(
  '%j cannot be inherited',
  (inherit) => {
    expect(() => readOptions({ inherit } as never)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }));
  },
);

it.each([
  [null, 'ERR_INVALID_ARG_TYPE', 'handoff() takes an object of options. Received null'],
  [{ control: '' }, 'ERR_INVALID_ARG_TYPE', '"control"'],
  [{ pidFile: 7 }, 'ERR_INVALID_ARG_TYPE', '"pidFile"'],
  [{ authorize: true }, 'ERR_INVALID_ARG_TYPE', '"authorize"'],
  [{ user: 33 }, 'ERR_INVALID_ARG_TYPE', '{ uid: 33, gid: 33 }'],
  [{ user: { uid: 'www-data' } }, 'ERR_INVALID_ARG_TYPE', '"user.uid" option must be a number'],
  [{ user: { uid: 33, gid: -1 } }, 'ERR_INVALID_ARG_TYPE', '"user.gid"'],
  [{ user: { uid: 33, guid: 33 } }, 'ERR_INVALID_ARG_VALUE', '"guid"'],
  [{ user: { gid: 33 } }, 'ERR_INVALID_ARG_TYPE', '"user.uid"'],
  [{ share: true }, 'ERR_INVALID_ARG_VALUE', 'needs "control"'],
  [{ systemd: true }, 'ERR_INVALID_ARG_TYPE', 'must be false or an object'],
  [{ systemd: { store: 'some' } }, 'ERR_INVALID_ARG_VALUE', '"systemd.store"'],
  [{ drainTimeout: '5' }, 'ERR_INVALID_ARG_TYPE', '"drainTimeout"'],
  [{ drainTimeout: -1 }, 'ERR_OUT_OF_RANGE', '"drainTimeout"'],
  [{ shutdownTimeout: Number.NaN }, 'ERR_OUT_OF_RANGE', '"shutdownTimeout"'],
  [{ readyTimeout: 2 ** 31 }, 'ERR_OUT_OF_RANGE', '"readyTimeout"'],
])('handoff(%j) is %s', (options, code, message) => {
  expect(() => readOptions(options as never)).toThrow(
    expect.objectContaining({ code, message: expect.stringContaining(message) }),
  );
});

it.each([
  [{}, 3_600_000, 30_000],
  [{ signals: 'endless' }, 60_000, 60_000],
  [{ signals: 'grace', drainTimeout: 5 }, 5, 60_000],
  [{ signals: false, drainTimeout: 5 }, 5, 30_000],
  [{ shutdownTimeout: 7 }, 3_600_000, 7],
] as const)(
  'with %j a drain may take %d ms where another one serves, and %d where nobody does',
  (options, drain, stop) => {
    expect(readOptions(options)).toMatchObject({ drainTimeout: drain, shutdownTimeout: stop });
  },
);

it.each([
  [false, null],
  [{ store: false }, { store: 'never', keepsAll: false }],
  [{ store: true }, { store: 'always', keepsAll: false }],
  [{ store: 'all' }, { store: 'always', keepsAll: true }],
  [{}, { store: 'where-offered', keepsAll: false }],
] as const)('systemd: %j', (systemd, read) => {
  expect(readOptions({ systemd }).systemd).toEqual(read);
});
