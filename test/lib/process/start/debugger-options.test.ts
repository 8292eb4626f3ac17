import { expect, it } from 'vitest';
import { environmentWithDebugger, withDebugger } from '../../../../lib/process/start/debugger-options.ts';

it('what opens a port says only which one it would be, and stops nowhere', () => {
  expect(withDebugger(['--inspect', '--inspect-brk=[::1]:9', '--expose-gc', 'a.js'], 'on demand')).toEqual([
    '--inspect-port=[::1]:9',
    '--expose-gc',
    'a.js',
  ]);
  expect(withDebugger(['--inspect_wait=0', '--inspect-brk'], 'without waiting')).toEqual(['--inspect=0', '--inspect']);
});

it('what says how it is opened stays', () => {
  const options = ['--inspect-port', '9230', '--inspect-publish-uid=http', '--debug-port=9231', 'a.js'];
  for (const start of ['on demand', 'without waiting'] as const) expect(withDebugger(options, start)).toEqual(options);
});

it('arguments of the program are its own, be they named like one of Node’s', () => {
  for (const args of [
    ['a.js', '--inspect'],
    ['--import', 'b.js', 'a.js', '--inspect'],
    ['--', 'a.js', '--inspect-brk'],
    ['-', '--inspect'],
  ]) {
    expect(withDebugger(args, 'on demand')).toEqual(args);
  }
  expect(withDebugger(['--require', '--inspect', '--inspect'], 'on demand')).toEqual(['--require', '--inspect']);
  // What Node has counted is right where it looks like something else.
  expect(withDebugger(['--new', 'value', '--inspect', 'a.js'], 'on demand', 3)).toEqual(['--new', 'value', 'a.js']);
});

it('NODE_OPTIONS are the same, with their quotes', () => {
  const changed = (NODE_OPTIONS: string) => environmentWithDebugger({ A: '1', NODE_OPTIONS }, 'on demand').NODE_OPTIONS;
  expect(changed('--inspect')).toBe(undefined);
  expect(changed('--require "./a b.js" --inspect-brk=9 --trace-exit')).toBe(
    '--require "./a b.js" --inspect-port=9 --trace-exit',
  );
  expect(changed('"--inspect=9"')).toBe('--inspect-port=9');
  expect(changed('--require "./ --inspect \\" b.js"')).toBe('--require "./ --inspect \\" b.js"');
  const none = { A: '1' };
  expect(environmentWithDebugger(none, 'on demand')).toBe(none);
});
