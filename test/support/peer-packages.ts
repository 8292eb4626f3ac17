import { fileURLToPath } from 'node:url';
import type { TestContext } from 'vitest';
import { FetchedPackages } from '../../bench/fetched-packages.ts';

/** Programs and clients from npm that nobody here has written, in the versions of `test/packages/package-lock.json`. */
const packages = new FetchedPackages('fd-handoff-tests', fileURLToPath(new URL('../packages', import.meta.url)));

/**
 * The folder whose node_modules has them. Skips where they cannot be fetched, and says so; where everything has to run, it
 * fails instead.
 */
export function peerPackages(context: TestContext): string {
  try {
    return packages.folder();
  } catch (error) {
    if (process.env.CI !== undefined) throw new Error('packages of other people cannot be fetched', { cause: error });
    return context.skip('packages of other people cannot be fetched on this machine');
  }
}

/** The path of a file of one of them, as `require.resolve()` finds it. */
export function peerFile(context: TestContext, specifier: string): string {
  peerPackages(context);
  return packages.resolve(specifier);
}
