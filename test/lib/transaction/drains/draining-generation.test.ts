import { expect, it } from 'vitest';
import { readGenerations } from '../../../../lib/transaction/drains/draining-generation.ts';

const whole = { pid: 1, generation: 0, since: null, until: null, waitsFor: { connections: 0, kinds: {}, answers: [] } };

it('what is none is left out, and what a later version says besides stays', () => {
  const more = { ...whole, more: true };
  const silent = { ...whole, waitsFor: 'silent' };
  expect(readGenerations([whole, more, silent, { ...whole, waitsFor: 'unasked' }])).toHaveLength(4);
  for (const wrong of [
    null,
    7,
    [],
    { ...whole, pid: '1' },
    { ...whole, waitsFor: 'other' },
    { ...whole, waitsFor: {} },
  ]) {
    expect(readGenerations([wrong as never])).toEqual([]);
  }
  for (const wrong of [undefined, null, 'many', {}]) expect(readGenerations(wrong)).toEqual([]);
});
