import { type Meeting, startSuccessor } from '../../meeting/meeting.ts';
import { debuggerPort } from '../../process/debugger-port.ts';
import { withGivenControl } from '../../process/given-control.ts';
import {
  isOwnProgram,
  type Launch,
  type LaunchOptions,
  launchOf,
  launchWithDebugger,
  requireStartable,
} from '../../process/start/launch.ts';
import { withSilentParent } from '../../process/start/silent-parent.ts';
import { type Preflight, passPreflight } from '../../rehearsal/preflight.ts';
import { withServiceVariables } from '../../systemd/service.ts';
import { introductionLine } from '../../transaction/rehearsed-inheritance.ts';
import type { UpgradeOptions } from '../contract/call-options.ts';
import type { Parts } from '../parts/parts.ts';

/** How the next version is started: as this process was, with what the call and then the hook gives in its place. */
export async function prepareLaunch({ hooks }: Parts, options: LaunchOptions, signal: AbortSignal): Promise<Launch> {
  const launch = await hooks.beforeSpawn(launchOf(options), signal);
  requireStartable(launch);
  const prepared = { ...launch, env: withSilentParent(launch.env) };
  // What this process has goes along at the commit; what it has not the next version may open by itself.
  return launchWithDebugger(prepared, debuggerPort.address === null ? 'without waiting' : 'on demand');
}

/** Resolves when the next version may be started. */
export function passTrial(parts: Parts, preflight: Preflight, launch: Launch, signal: AbortSignal): Promise<void> {
  const { generation, estate, membership, settings } = parts;
  const introduction = () => introductionLine(generation, estate.descriptors, membership.ordinal);
  return passPreflight(preflight, { launch, introduction, timeout: settings.readyTimeout, signal });
}

/**
 * Brings a successor by starting one.
 *
 * @returns resolves with what starts it, whose time begins only then
 */
export async function spawning(
  parts: Parts,
  options: UpgradeOptions,
  signal: AbortSignal,
): Promise<(deadline: AbortSignal) => Promise<Meeting>> {
  const launch = await prepareLaunch(parts, options, signal);
  await passTrial(parts, options.preflight ?? false, launch, signal);
  // Another program may know nothing of this library, and gets what it needs to serve without it.
  const listeners = options.command === undefined && isOwnProgram(launch) ? null : parts.estate.descriptors;
  const stderr = options.stderr ?? (isOwnProgram(launch) ? 'capture' : 'inherit');
  const { ordinal } = parts.membership;
  // What was read of this process's environment, and removed, is for its successor as well.
  const env = withGivenControl(withServiceVariables(launch.env));
  return (deadline) => startSuccessor({ ...launch, env, stderr, ordinal, listeners }, deadline);
}
