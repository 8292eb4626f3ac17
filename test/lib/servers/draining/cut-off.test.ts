import { expect, it } from 'vitest';
import { CutOff } from '../../../../lib/servers/draining/cut-off.ts';

it('names each kind with its number, the largest first', () => {
  const cutOff = new CutOff();
  for (const kind of ['websocket', 'answer', 'answer', 'unfinished request', 'answer', 'unfinished request']) {
    cutOff.add(kind);
  }
  expect(String(cutOff)).toBe('3 answers, 2 unfinished requests, 1 websocket');
});
