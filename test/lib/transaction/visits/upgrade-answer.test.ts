import { expect, it } from 'vitest';
import { HandoffError } from '../../../../lib/fd/handoff-error.ts';
import { answerUpgrade, type UpgradeListener } from '../../../../lib/transaction/visits/upgrade-answer.ts';
import { ChannelPair } from '../../../support/channel-pair.ts';
import { never } from '../../../support/never.ts';

async function told(upgrade: (listener: UpgradeListener) => Promise<unknown>): Promise<unknown[]> {
  using pair = new ChannelPair();
  const answered = answerUpgrade(pair.sending.control, 500, upgrade);
  const { control } = pair.receiving;
  const payloads: unknown[] = [];
  try {
    for (;;) payloads.push((await control.expect(['PROGRESS'], never)).payload);
  } catch (error) {
    expect(error).toMatchObject({ code: 'ERR_HANDOFF_PREDECESSOR_EXITED' });
  }
  await answered;
  return payloads;
}

it('says that it starts and how long that may take, each phase with the successor, and the end', async () => {
  const upgrade = async (listener: UpgradeListener) => {
    for (const phase of ['welcomed', 'descriptors-received', 'state-sent', 'ready', 'done'] as const)
      listener(phase, 7);
  };
  expect(await told(upgrade)).toEqual([
    { phase: 'starting', limit: 500 },
    { phase: 'welcomed', pid: 7 },
    { phase: 'descriptors-received', pid: 7 },
    { phase: 'state-sent', pid: 7 },
    { phase: 'ready', pid: 7 },
    { phase: 'done', pid: 7 },
  ]);
});

it('says why it has failed, with the code of the library or that of something that was called off', async () => {
  const reason = new HandoffError('ERR_HANDOFF_TIMEOUT', 'Too late.');
  expect(await told(() => Promise.reject(reason))).toEqual([
    { phase: 'starting', limit: 500 },
    { phase: 'failed', code: 'ERR_HANDOFF_TIMEOUT', message: 'Too late.' },
  ]);
  expect(await told(() => Promise.reject(new Error('a bug')))).toEqual([
    { phase: 'starting', limit: 500 },
    { phase: 'failed', code: 'ERR_HANDOFF_ABORTED', message: 'a bug' },
  ]);
});

it('goes on where the visitor is gone', async () => {
  using pair = new ChannelPair();
  let goOn = () => {};
  const upgraded: string[] = [];
  const answered = answerUpgrade(pair.sending.control, 500, async (listener) => {
    await new Promise<void>((resolve) => {
      goOn = resolve;
    });
    listener('done', 7);
    upgraded.push('done');
  });
  pair.receiving.control.destroy();
  await pair.sending.control.closed;
  goOn();
  await answered;
  expect(upgraded).toEqual(['done']);
});
