import { afterEach, beforeEach, expect, it } from 'vitest';
import type { JsonObject } from '../../../../lib/channel/frame.ts';
import { run } from '../../../../lib/cli/program.ts';
import { ControlStub } from '../../../support/control-stub.ts';
import { eventually } from '../../../support/eventually.ts';
import { RecordedCall } from '../../../support/recorded-call.ts';
import { TemporaryFolder } from '../../../support/temporary-folder.ts';

let folder: TemporaryFolder;
let path: string;

beforeEach(() => {
  folder = new TemporaryFolder();
  path = folder.file('control.sock');
});
afterEach(() => folder[Symbol.dispose]());

async function upgrade(...args: string[]): Promise<RecordedCall> {
  const call = new RecordedCall();
  await run(['upgrade', path, ...args], call);
  return call;
}

const starting = { phase: 'starting', limit: 60_000 };
const failed = { phase: 'failed', code: 'ERR_HANDOFF_SUCCESSOR_EXITED', message: 'It exited.' };

it('shows each step with its time, and who serves at the end', async () => {
  const phases = ['welcomed', 'descriptors-received', 'state-sent', 'ready'];
  await using _stub = await ControlStub.answering(
    path,
    ['PROGRESS', starting],
    ...phases.map((phase) => ['PROGRESS', { phase, pid: 7 }] as ['PROGRESS', JsonObject]),
    ['PROGRESS', { phase: 'done', pid: 7 }],
  );
  const { output, exitCode } = await upgrade();
  expect(exitCode).toBe(0);
  expect(
    output
      .trimEnd()
      .split('\n')
      .map((line) => line.replace(/^ *\d+ ms {2}/, '')),
  ).toEqual([
    `process ${process.pid} starts its next version`,
    'process 7 has come, and is offered everything',
    'process 7 has the listeners',
    'process 7 has the state',
    'process 7 is ready',
    `process 7 serves; process ${process.pid} finishes what it has, and leaves`,
  ]);
});

it('--json is an object for each step, and the last one has both processes', async () => {
  await using _stub = await ControlStub.answering(
    path,
    ['PROGRESS', starting],
    ['PROGRESS', { phase: 'done', pid: 7 }],
  );
  const lines = (await upgrade('--json')).output
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(lines).toEqual([
    { phase: 'starting', from: process.pid, elapsed: expect.any(Number) },
    { phase: 'done', pid: 7, from: process.pid, elapsed: expect.any(Number) },
  ]);
});

it('what fails after the beginning was tried, whatever its code says elsewhere', async () => {
  const late = { ...failed, code: 'ERR_HANDOFF_TIMEOUT', message: 'It was not ready.' };
  await using _stub = await ControlStub.answering(path, ['PROGRESS', starting], ['PROGRESS', late]);
  const call = await upgrade('--json');
  expect(call.exitCode).toBe(1);
  expect(call.errors).toContain('ERR_HANDOFF_TIMEOUT');
  expect(JSON.parse(call.output.trimEnd().split('\n').at(-1) as string)).toMatchObject({ phase: 'failed' });
});

it('what fails before it has its own exit code, and no step', async () => {
  await using _stub = await ControlStub.answering(path, ['REFUSED', { code: 'ERR_HANDOFF_BUSY', message: 'Not now.' }]);
  expect(await upgrade()).toMatchObject({ output: '', exitCode: 1 });
  await using _other = await ControlStub.at(folder.file('silent'), () => {});
  const call = new RecordedCall();
  await run(['upgrade', folder.file('silent'), '--timeout', '20ms'], call);
  expect(call.exitCode).toBe(6);
});

it('where the process that was asked goes away, whoever answers there now is named', async () => {
  let visits = 0;
  await using _stub = await ControlStub.at(path, (socket, stub) => {
    visits += 1;
    const isFirst = visits === 1;
    stub.onFrame(socket, () => {
      if (isFirst) ControlStub.reply(socket, 'PROGRESS', starting);
      else ControlStub.reply(socket, 'STATUS', { pid: 8, generation: 4 });
      socket.end();
    });
  });
  const call = await upgrade();
  expect(call.exitCode).toBe(1);
  expect(call.errors).toContain('Process 8, generation 4, answers there now.');
});

it('Ctrl-C ends the waiting, says that the upgrade goes on, and is not listened for any more', async () => {
  await using _stub = await ControlStub.at(path, (socket, stub) => {
    stub.onFrame(socket, () => ControlStub.reply(socket, 'PROGRESS', starting));
  });
  const before = process.listenerCount('SIGINT');
  const call = new RecordedCall();
  const running = run(['upgrade', path], call);
  await eventually(() => call.output !== '');
  process.emit('SIGINT');
  await running;
  expect(call.exitCode).toBe(130);
  expect(call.errors).toContain(`the upgrade of process ${process.pid} goes on`);
  expect(process.listenerCount('SIGINT')).toBe(before);
});
