import { expect, it } from 'vitest';
import { ownerForFiles, withFileFor } from '../../../../lib/transaction/path/service-files.ts';

const user = { uid: 33, gid: 33 };
const isRoot = process.geteuid?.() === 0;

it('root gives files to the user that is named, and nobody else gives any', () => {
  expect(ownerForFiles(null)).toBeUndefined();
  expect(ownerForFiles(user)).toEqual(isRoot ? user : undefined);
});

it('a socket file is given where nothing else was said, and only a file', () => {
  expect(withFileFor(user, { path: '/run/app.sock' })).toEqual({
    path: '/run/app.sock',
    ...(isRoot ? { owner: user } : {}),
  });
  const own = { path: '/run/app.sock', owner: { uid: 1 } };
  for (const options of [own, { path: '@app' }, {}]) expect(withFileFor(user, options)).toEqual(options);
});
