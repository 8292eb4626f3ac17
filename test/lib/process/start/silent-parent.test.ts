import { describe, expect, it } from 'vitest';
import { libraryFile, runScript } from '../../../support/child-script.ts';

const start = (variables: NodeJS.ProcessEnv, script: string) =>
  runScript(`const { withSilentParent } = await import(${libraryFile('process/start/silent-parent.ts')});${script}`, {
    env: { PATH: process.env.PATH, ...variables },
  });

const tell = `
  console.log(JSON.stringify([typeof process.send, process.env.FD_HANDOFF_SILENT_PARENT ?? null, withSilentParent({})]));
`;

describe('a process whose first version was forked, and it was not', () => {
  it('says so to the next one, and has a process.send() that does nothing', async () => {
    const { stdout } = await start({ FD_HANDOFF_SILENT_PARENT: '1' }, tell);
    expect(JSON.parse(stdout)).toEqual(['function', null, { FD_HANDOFF_SILENT_PARENT: '1' }]);
  });

  it('warns once of what it says, and tells a callback that nobody has heard it', async () => {
    const said = `
      const codes = [];
      for (const words of [['ready'], [{ a: 1 }], ['x', (error) => codes.push(error.code)]]) process.send(...words);
      process.disconnect();
      setImmediate(() => console.log(JSON.stringify(codes)));
    `;
    const { stdout, stderr, code } = await start({ FD_HANDOFF_SILENT_PARENT: '1' }, said);
    expect([stdout, code]).toEqual(['["ERR_IPC_CHANNEL_CLOSED"]\n', 0]);
    expect(stderr.split('process.send() does nothing in this process')).toHaveLength(2);
    expect(stderr).toContain('FD_HANDOFF_SILENT_PARENT');
  });

  it('is quiet in a rehearsal, whose image may have the channel', async () => {
    const variables = { FD_HANDOFF_SILENT_PARENT: '1', FD_HANDOFF_PREFLIGHT: '9' };
    const { stderr } = await start(variables, "process.send('ready');");
    expect(stderr).toBe('');
  });
});

it('a process that nobody has forked is as Node has made it', async () => {
  const { stdout } = await start({}, tell);
  expect(JSON.parse(stdout)).toEqual(['undefined', null, {}]);
});
