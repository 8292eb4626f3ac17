import { afterEach, beforeEach, expect, it } from 'vitest';
import { run } from '../../../../lib/cli/program.ts';
import { ControlStub } from '../../../support/control-stub.ts';
import { RecordedCall } from '../../../support/recorded-call.ts';
import { TemporaryFolder } from '../../../support/temporary-folder.ts';

let folder: TemporaryFolder;
let path: string;

beforeEach(() => {
  folder = new TemporaryFolder();
  path = folder.file('control.sock');
});
afterEach(() => folder[Symbol.dispose]());

const which = { pid: 4711, generation: 3 };

async function hammer(...args: string[]): Promise<RecordedCall> {
  const call = new RecordedCall();
  await run(['hammer', path, ...args], call);
  return call;
}

function ending(): Promise<ControlStub> {
  return ControlStub.answering(
    path,
    ['PROGRESS', { phase: 'hammering', ...which }],
    ['PROGRESS', { phase: 'done', ...which }],
  );
}

it('asks for the one that was named, and says when it has ended', async () => {
  await using stub = await ending();
  expect(await hammer('--generation', '3')).toMatchObject({
    output: 'process 4711 (generation 3) has ended\n',
    errors: '',
    exitCode: 0,
  });
  expect(stub.heard).toMatchObject([
    { payload: { intent: 'hammer', target: { pid: null, generation: 3 }, serving: false } },
  ]);
});

it('--json prints which one it was', async () => {
  await using _stub = await ending();
  expect(JSON.parse((await hammer('--json')).output)).toEqual(which);
});

it('the one that serves is told to end: who has said so hears that nobody serves', async () => {
  await using stub = await ending();
  const { output } = await hammer('--pid', '4711', '--serving');
  expect(output).toBe('process 4711 (generation 3), which served, was told to end at once\n');
  expect(stub.heard).toMatchObject([{ payload: { target: { pid: 4711, generation: null }, serving: true } }]);
});

it('one that does not end was tried, though the process that was asked has answered in time', async () => {
  const failed = { phase: 'failed', code: 'ERR_HANDOFF_TIMEOUT', message: 'It does not answer.' };
  await using _stub = await ControlStub.answering(
    path,
    ['PROGRESS', { phase: 'hammering', ...which }],
    ['PROGRESS', failed],
  );
  const call = await hammer();
  expect(call.exitCode).toBe(1);
  expect(call.errors).toBe('fd-handoff: ERR_HANDOFF_TIMEOUT: It does not answer.\n');
});

it('where nothing was begun the exit code says why', async () => {
  expect((await hammer()).exitCode).toBe(3);
});

it.each([[['--pid', 'one']], [['--generation', '-1']], [['--pid', '']]])('%j is a mistake', async (args) => {
  expect((await hammer(...args)).exitCode).toBe(2);
});
