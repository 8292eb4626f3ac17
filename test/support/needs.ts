import { execFileSync } from 'node:child_process';
import type { TestContext } from 'vitest';

/** Skips where a tool is missing, and says so; where everything has to run, it fails instead. */
export function needs(context: TestContext, tool: string, ...versionArguments: string[]): void {
  try {
    execFileSync(tool, versionArguments, { stdio: 'ignore' });
  } catch (error) {
    if (process.env.CI !== undefined) throw new Error(`${tool} is needed for this test`, { cause: error });
    context.skip(`${tool} does not run on this machine`);
  }
}
