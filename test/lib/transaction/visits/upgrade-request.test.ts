import { afterEach, beforeEach, expect, it } from 'vitest';
import type { FrameName, JsonObject } from '../../../../lib/channel/frame.ts';
import { requestUpgrade, type UpgradeProgress } from '../../../../lib/transaction/visits/upgrade-request.ts';
import { ControlStub } from '../../../support/control-stub.ts';
import { never } from '../../../support/never.ts';
import { DescriptorCheck } from '../../../support/open-descriptors.ts';
import { TemporaryFolder } from '../../../support/temporary-folder.ts';

let descriptors: DescriptorCheck;
let folder: TemporaryFolder;
let path: string;
let steps: UpgradeProgress[];

beforeEach(() => {
  descriptors = new DescriptorCheck();
  folder = new TemporaryFolder();
  path = folder.file('control.sock');
  steps = [];
});

afterEach(async () => {
  folder[Symbol.dispose]();
  await descriptors[Symbol.asyncDispose]();
});

function request(signal = never, timeout = 30_000) {
  return requestUpgrade(path, { timeout, signal, onProgress: (progress) => steps.push(progress) });
}

/** One that answers with these, and then says nothing, but stays. */
function stubSaying(...payloads: JsonObject[]): Promise<ControlStub> {
  return ControlStub.at(path, (socket, stub) => {
    stub.onFrame(socket, () => {
      for (const payload of payloads) ControlStub.reply(socket, 'PROGRESS', payload);
    });
  });
}

const progress = (payload: JsonObject): [FrameName, JsonObject] => ['PROGRESS', payload];

it('tells of each step, and resolves with both processes', async () => {
  await using stub = await ControlStub.answering(
    path,
    progress({ phase: 'starting', limit: 1000 }),
    progress({ phase: 'welcomed', pid: 7 }),
    progress({ phase: 'of a later version' }),
    progress({ phase: 'done', pid: 7 }),
  );
  expect(await request()).toEqual({ from: process.pid, to: 7 });
  expect(steps).toEqual([
    { phase: 'starting', pid: null },
    { phase: 'welcomed', pid: 7 },
    { phase: 'of a later version', pid: null },
  ]);
  expect(stub.heard).toMatchObject([{ name: 'HELLO', payload: { intent: 'upgrade', token: null } }]);
});

it('rejects with what has failed, and who was not replaced', async () => {
  const failed = { phase: 'failed', code: 'ERR_HANDOFF_SUCCESSOR_EXITED', message: 'It exited.' };
  await using _stub = await ControlStub.answering(path, progress({ phase: 'starting' }), progress(failed));
  await expect(request()).rejects.toMatchObject({
    code: 'ERR_HANDOFF_SUCCESSOR_EXITED',
    message: `Process ${process.pid} was not replaced: It exited.`,
  });
});

it('rejects where it was refused, without a step', async () => {
  await using _stub = await ControlStub.answering(path, ['REFUSED', { code: 'ERR_HANDOFF_BUSY', message: 'Not now.' }]);
  await expect(request()).rejects.toMatchObject({ code: 'ERR_HANDOFF_BUSY', message: 'Not now.' });
  expect(steps).toEqual([]);
});

it('does not ask twice where the process went away in the middle', async () => {
  await using stub = await ControlStub.answering(path, progress({ phase: 'starting', limit: 1000 }));
  await expect(request()).rejects.toMatchObject({
    code: 'ERR_HANDOFF_PREDECESSOR_EXITED',
    message: `Process ${process.pid} on ${path} went away before it had said how its upgrade ended.`,
  });
  expect(stub.heard).toHaveLength(1);
});

it('waits as long as the process has said, and a moment more', async () => {
  await using _stub = await stubSaying({ phase: 'starting', limit: 10 });
  await expect(request()).rejects.toMatchObject({
    code: 'ERR_HANDOFF_TIMEOUT',
    message: expect.stringContaining('has not said how its upgrade ended within 5010 ms'),
  });
});

it('waits for the beginning as long as the caller has said', async () => {
  await using _stub = await stubSaying();
  await expect(request(never, 20)).rejects.toMatchObject({
    code: 'ERR_HANDOFF_TIMEOUT',
    message: `The process on ${path} has not begun (it may still do so) within 20 ms.`,
  });
});

it('is over when the caller has enough of it', async () => {
  await using _stub = await stubSaying({ phase: 'starting', limit: 1000 });
  const caller = new AbortController();
  const requested = requestUpgrade(path, {
    timeout: 30_000,
    signal: caller.signal,
    onProgress: () => caller.abort(),
  });
  await expect(requested).rejects.toMatchObject({ code: 'ERR_HANDOFF_ABORTED' });
});

it.each<[string, JsonObject]>([
  ['no phase', {}],
  ['a limit that is none', { phase: 'starting', limit: -1 }],
  ['a process id that is none', { phase: 'welcomed', pid: 'seven' }],
  ['the end without a process', { phase: 'done' }],
])('%s is not of this protocol', async (_what, payload) => {
  await using _stub = await stubSaying(payload);
  await expect(request()).rejects.toMatchObject({ code: 'ERR_HANDOFF_PROTOCOL' });
});
