// Plays every scene with preload.c in this process: once to see the addon's calls, then once for each failure of each of
// them. Prints what came out as JSON; whether that is right is the test's to say.

import { readdirSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { closeAll, pipe } from '../../../lib/fd/descriptor.ts';
import type { SystemError } from '../../../lib/fd/system-error.ts';
import { openDescriptors } from '../../support/open-descriptors.ts';
import { failuresOf, type Outcome, type Scene, Stage, scenes, type Variant } from './scenes.ts';

/** One attempt at a scene. */
export interface Attempt {
  outcome: Outcome;
  /** The variable that was set for it, as preload.c left it. */
  variable: string;
  /** What is open now and was not before; of a call that failed the files, too. */
  leaked: string[];
}

export interface PlayedScene {
  title: string;
  undisturbed: Attempt;
  /** In the order of `failuresOf`. */
  disturbed: Attempt[];
}

export interface Result {
  variant: Variant;
  played: PlayedScene[];
}

const [folder] = process.argv.slice(2) as [string];
if (process.env.FAIL_CALL !== '') throw new Error('failing-calls.test.ts starts this program');
process.umask(0o077);

// Not among the constants of node:os.
const numbers: Record<string, number> = { ...constants.errno, ETOOMANYREFS: 109 };

function outcomeOf(call: () => unknown): Outcome {
  try {
    return { returns: call() ?? null };
  } catch (error) {
    const { code, syscall } = error as SystemError;
    return syscall === undefined ? { code } : { code, syscall };
  }
}

/** What becomes of a call with a variable of preload.c set, which is empty again afterwards. */
function outcomeWith(name: 'FAIL_CALL' | 'SEEN_CALLS', value: string, call: () => unknown): Omit<Attempt, 'leaked'> {
  process.env[name] = value;
  const outcome = outcomeOf(call);
  const variable = process.env[name] as string;
  process.env[name] = '';
  return { outcome, variable };
}

let attempts = 0;

function attempt(scene: Scene, name: 'FAIL_CALL' | 'SEEN_CALLS', value: string): Attempt {
  const before = new Set(openDescriptors());
  const stage = new Stage(join(folder, `${attempts++}`));
  const call = scene.prepare(stage);
  const files = new Set(readdirSync(folder));
  const result = outcomeWith(name, value, call);
  const left = 'code' in result.outcome ? readdirSync(folder).filter((file) => !files.has(file)) : [];
  try {
    stage.leave();
  } catch (cause) {
    throw new Error(`${scene.title}, with ${name}=${value}, closes what it does not own`, { cause });
  }
  return { ...result, leaked: [...openDescriptors().filter((descriptor) => !before.has(descriptor)), ...left] };
}

const { variable } = outcomeWith('SEEN_CALLS', ':', () => closeAll(pipe()));
const variant = variable.includes('pipe2') ? 'atomic' : 'fallback';

const played = scenes
  .filter(({ skip = false }) => skip === false)
  .map(
    (scene): PlayedScene => ({
      title: scene.title,
      undisturbed: attempt(scene, 'SEEN_CALLS', ':'),
      disturbed: failuresOf(scene.steps(variant)).map(({ call, turn, code }) =>
        attempt(scene, 'FAIL_CALL', `${call}:${turn}:${numbers[code]}`),
      ),
    }),
  );
console.log(JSON.stringify({ variant, played } satisfies Result));
