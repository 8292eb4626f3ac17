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

const status = { pid: 4711, generation: 12, phase: 'serving', uptime: 60_000, listeners: [], datagramSockets: [] };

async function asked(...args: string[]): Promise<RecordedCall> {
  const call = new RecordedCall();
  await run(['status', path, ...args], call);
  return call;
}

it('asks for nothing but the status, and shows a table', async () => {
  await using stub = await ControlStub.answering(path, ['STATUS', status]);
  const { output, exitCode } = await asked();
  expect(output).toMatch(/^name .*phase\n.* 12 +4711 +1m .*serving\n$/);
  expect(exitCode).toBe(0);
  expect(stub.heard).toMatchObject([{ name: 'HELLO', payload: { intent: 'status' } }]);
});

it('those that still drain have a table of their own, below', async () => {
  const draining = [{ pid: 4700, generation: 11, since: null, until: null, waitsFor: 'silent' }];
  await using _stub = await ControlStub.answering(path, ['STATUS', { ...status, draining }]);
  const [first, second, ...others] = (await asked()).output.split('\n\n');
  expect(first).toContain('4711');
  expect(second).toContain('4700');
  expect(others).toEqual([]);
});

it('--json prints all of it, what this version does not know included, on one line', async () => {
  const whole = { ...status, ofALaterVersion: { of: ['anything'] } };
  await using _stub = await ControlStub.answering(path, ['STATUS', whole]);
  const { output } = await asked('--json');
  expect(
    output
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line)),
  ).toEqual([whole]);
});

it('a path where nobody is ends it at once, --watch or not', async () => {
  expect((await asked()).exitCode).toBe(3);
  expect((await asked('--watch')).exitCode).toBe(3);
});

it('one that does not answer in time has an exit code of its own', async () => {
  await using _stub = await ControlStub.at(path, () => {});
  expect((await asked('--timeout', '20ms')).exitCode).toBe(6);
});

it('--watch asks again and again, shows a failure in its place, and ends in good order by Ctrl-C', async () => {
  const answers: (JsonObject | null)[] = [status, null, { ...status, generation: 13 }];
  let asks = 0;
  await using _stub = await ControlStub.at(path, (socket, stub) => {
    stub.onFrame(socket, () => {
      const answer = answers[Math.min(asks, answers.length - 1)];
      asks += 1;
      if (answer === null) ControlStub.reply(socket, 'REFUSED', { code: 'ERR_HANDOFF_BUSY', message: 'Not now.' });
      else ControlStub.reply(socket, 'STATUS', answer as JsonObject);
      socket.end();
    });
  });
  const call = new RecordedCall();
  const before = process.listenerCount('SIGINT');
  const running = run(['status', path, '--watch', '--interval', '1ms', '--json'], call);
  await eventually(() => call.output.split('\n').length > 4);
  expect(process.listenerCount('SIGINT')).toBe(before + 1);
  process.emit('SIGINT');
  await running;
  const lines = call.output
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(lines.slice(0, 3)).toEqual([
    status,
    { error: { code: 'ERR_HANDOFF_BUSY', message: 'Not now.' } },
    { ...status, generation: 13 },
  ]);
  expect(call).toMatchObject({ errors: '', exitCode: 0 });
});
