import { afterEach, beforeEach, expect, it } from 'vitest';
import { HandoffError } from '../../../../lib/fd/handoff-error.ts';
import { answerHammer, type Chosen, readChosen } from '../../../../lib/transaction/visits/hammer-answer.ts';
import { ChannelPair } from '../../../support/channel-pair.ts';
import { never } from '../../../support/never.ts';

let pair: ChannelPair;
let hammered: (Chosen | 'owner')[];

beforeEach(() => {
  pair = new ChannelPair();
  hammered = [];
});

afterEach(() => pair[Symbol.dispose]());

const found = {
  pid: 11,
  generation: 1,
  since: null,
  until: null,
  waitsFor: { connections: 0, kinds: {}, answers: [] },
};

async function answered(target: object, serving?: boolean): Promise<unknown[]> {
  const owner = { pid: 13, generation: 3, hammer: () => void hammered.push('owner') };
  const drainers = {
    hammer: async (chosen: Chosen, onFound: (one: typeof found) => void) => {
      hammered.push(chosen);
      if (chosen.pid === 99) throw new HandoffError('ERR_HANDOFF_REFUSED', 'There is no process 99.');
      onFound(found);
      return found;
    },
  };
  const answering = answerHammer(pair.sending.control, readChosen({ target, serving } as never), owner, drainers);
  const frames: unknown[] = [];
  for (let last = ''; last !== 'done' && last !== 'failed'; ) {
    const { payload } = await pair.receiving.control.expect(['PROGRESS'], never);
    frames.push(payload);
    last = payload.phase as string;
  }
  pair.receiving.control.destroy();
  await answering;
  return frames;
}

it('tells who is ended, and when that is done', async () => {
  expect(await answered({ generation: 1, pid: null })).toEqual([
    { phase: 'hammering', pid: 11, generation: 1 },
    { phase: 'done', pid: 11, generation: 1 },
  ]);
  expect(hammered).toEqual([{ pid: null, generation: 1 }]);
});

it.each([{ pid: 13 }, { generation: 3 }])('the one that serves is not meant by %j alone', async (target) => {
  expect(await answered(target)).toMatchObject([{ phase: 'failed', code: 'ERR_HANDOFF_REFUSED' }]);
  expect(hammered).toEqual([]);
});

it('it is where that is said', async () => {
  expect(await answered({ pid: 13 }, true)).toMatchObject([{ phase: 'hammering' }, { phase: 'done', pid: 13 }]);
  expect(hammered).toEqual(['owner']);
});

it('and nobody else is then', async () => {
  expect(await answered({ pid: 11 }, true)).toMatchObject([{ phase: 'failed', code: 'ERR_HANDOFF_REFUSED' }]);
  expect(hammered).toEqual([]);
});

it('what fails is told', async () => {
  expect(await answered({ pid: 99 })).toMatchObject([{ phase: 'failed', message: 'There is no process 99.' }]);
});

it('what is no target is none', () => {
  expect(readChosen({})).toEqual({ pid: null, generation: null, serving: false });
  expect(readChosen({ target: { pid: '7', generation: null }, serving: 'yes' })).toEqual({
    pid: null,
    generation: null,
    serving: false,
  });
});
