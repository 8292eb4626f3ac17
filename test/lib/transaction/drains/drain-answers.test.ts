import { expect, it } from 'vitest';
import { answerInquiries } from '../../../../lib/transaction/drains/drain-answers.ts';
import { ChannelPair } from '../../../support/channel-pair.ts';
import { never } from '../../../support/never.ts';

it('answers with the number of the question', async () => {
  using pair = new ChannelPair();
  answerInquiries(pair.sending.control, { generations: async () => [], hasten: () => {} });
  pair.receiving.control.send('INQUIRE', { id: 41 });
  const { payload } = await pair.receiving.control.expect(['GENERATIONS'], never);
  expect(payload).toEqual({ id: 41, generations: [] });
});
