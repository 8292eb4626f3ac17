import { expect, it } from 'vitest';
import { checkCommand, checkOptions, upgradeLimit } from '../../../../lib/lifecycle/contract/call-options.ts';

it.each([
  ['upgrade()', { enviroment: {} }, 'It takes '],
  ['upgrade()', { kepp: true }, 'Did you mean "keep"?'],
  ['reexec()', { cmd: 'x' }, 'It takes '],
  ['move()', { heads: '' }, 'Did you mean "head"?'],
  ['shutdown()', { timout: 1 }, 'Did you mean "timeout"?'],
] as const)('%s has no option such as in %j', (call, options, advice) => {
  expect(() => checkOptions(call, options)).toThrow(
    expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE', message: expect.stringContaining(advice) }),
  );
});

it.each([7, 'npm test', [], [''], ['npm', 1]])('a preflight is not %j', (preflight) => {
  expect(() => checkCommand({ preflight, cwd: '/' } as never)).toThrow(
    expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE', message: expect.stringContaining('"preflight"') }),
  );
});

it('an upgrade has the time of its hook, of its successor, and of the end of one that fails', () => {
  expect(upgradeLimit({ readyTimeout: 1_000 })).toBe(4_000);
});
