import type { TestContext } from 'vitest';
import { peerFile } from './peer-packages.ts';

/** The path of a newer Node than the oldest that is supported, from npm; skips where there is none for this machine. */
export function newerNode(context: TestContext): string {
  const { platform, arch } = process;
  if (platform !== 'linux' || (arch !== 'x64' && arch !== 'arm64')) {
    return context.skip(`npm has no Node for ${platform} on ${arch}`);
  }
  return peerFile(context, `node-linux-${arch}/bin/node`);
}
