import { expect, test } from 'vitest';
import { Pause } from '../../../../lib/lifecycle/parts/pause.ts';
import { libraryFile, runScript } from '../../../support/child-script.ts';

test('its end calls the drain off, and waits for it', async () => {
  const steps: string[] = [];
  let settle = () => {};
  const pause = new Pause((over) => {
    over.addEventListener('abort', () => steps.push('called off'));
    return new Promise((resolve) => {
      settle = () => resolve({ how: 'cancelled' });
    });
  });
  const ended = pause.end().then(() => steps.push('ended'));
  await Promise.resolve();
  expect(steps).toEqual(['called off']);
  settle();
  await ended;
  expect(steps).toEqual(['called off', 'ended']);
});

test('it keeps a process that has nothing else open, and lets it go at its end', async () => {
  const { stdout, code } = await runScript(`
    import { Pause } from ${libraryFile('lifecycle/parts/pause.ts')};
    const pause = new Pause(async () => ({ how: 'drained' }));
    setTimeout(async () => { console.log('still here'); await pause.end(); }, 50).unref();
  `);
  expect({ stdout, code }).toEqual({ stdout: 'still here\n', code: 0 });
});
