import { expect, it } from 'vitest';
import { checkOptions, readOptions } from '../../lib/options.ts';

it.each([
  ['handoff()', { drainTimeOut: 1 }, 'Did you mean "drainTimeout"?'],
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

it('handoff() is told of an option that it does not have before anything is done with the others', () => {
  expect(() => readOptions({ control: 7, pidfile: '/x' } as never)).toThrow(/has no option "pidfile"/);
});

it.each([[{}], [[{ name: 'web' }]], [[{ name: 'web', descriptor: 3 }]], [[null]]])(
  '%j cannot be inherited',
  (inherit) => {
    expect(() => readOptions({ inherit } as never)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }));
  },
);
