/**
 * `handoff()`, and the class `Handoff`, which stands for the part that this process plays in the succession of servers.
 *
 * @module fd-handoff
 */
import { isMainThread } from 'node:worker_threads';
import { Handoff, type SignalSettings } from './app/handoff.ts';
import { type HandoffOptions, type HandoffSettings, readOptions } from './app/options.ts';
import { isClusterWorker } from './cluster/pool-membership.ts';
import { HandoffError } from './fd/handoff-error.ts';
import { isSupported } from './fd/native.ts';
import { findPredecessor, findPrimary } from './meeting/predecessor-search.ts';
import { takeGivenControl } from './process/given-control.ts';
import { roster } from './process/roster.ts';
import { currentRehearsal } from './rehearsal/rehearsal.ts';
import { Service } from './systemd/service.ts';

export { type DiagnosticsMessage, Handoff, type HandoffDiagnostics, type SignalMap } from './app/handoff.ts';
export type { HandoffOptions, SystemdOptions } from './app/options.ts';
export type { ProgramOptions } from './app/program-options.ts';
export type { WorkersOptions } from './app/workers-options.ts';
export type { Json } from './channel/frame.ts';
export type { FrameTrace, Utterance } from './channel/trace.ts';
export type { WorkerPool } from './cluster/worker-pool.ts';
export { HandoffError, type HandoffErrorCode, handoffErrorCodes } from './fd/handoff-error.ts';
export { isSupported } from './fd/native.ts';
export { OwnedFd } from './fd/owned-fd.ts';
export type { PeerCredentials } from './fd/peer-credentials.ts';
export type { MoveOptions, ReexecOptions, ShutdownOptions, UpgradeOptions } from './lifecycle/contract/call-options.ts';
export type { DrainReport, HandoffEvents } from './lifecycle/contract/events.ts';
export type { Commit, LifecycleHooks } from './lifecycle/contract/hooks.ts';
export type { UnclaimedChoice } from './lifecycle/contract/settings.ts';
export type { PhaseName } from './lifecycle/decision/state.ts';
export type { DatagramSocketStatus, HandoffStatus, ListenerStatus } from './lifecycle/parts/status.ts';
export type { LostOutput } from './process/output/standard-output.ts';
export type { Exit } from './process/start/child.ts';
export type { Launch, LaunchOptions } from './process/start/launch.ts';
export { SuccessorError } from './process/start/successor-error.ts';
export type { HostedProgram } from './programs/hosted-program.ts';
export type { Convention } from './programs/program-variables.ts';
export type { Preflight, PreflightCheck, PreflightCommand } from './rehearsal/preflight.ts';
export type {
  Adopter,
  Bound,
  BoundAddress,
  BoundListener,
  ConnectionHooks,
  ConnectionsLeave,
  DatagramOptions,
  DescriptorOpener,
  DescriptorOptions,
  DrainReason,
  HoldOptions,
  InheritedDescriptor,
  Listening,
  ListenOptions,
  StateHooks,
  WantedListener,
} from './servers/index.ts';
export type { SignalAction } from './signals/signal-map.ts';
export { type SignalPreset, signalPresets } from './signals/signal-presets.ts';
export type { SignalHooks } from './signals/signals.ts';
export type { PassedDescriptor } from './systemd/listen-fds.ts';
export type { DrainingGeneration, DrainWork, PendingAnswer } from './transaction/drains/draining-generation.ts';
export type { FileOwner } from './transaction/path/file-rights.ts';
export type { ServiceUser } from './transaction/path/socket-owner.ts';
export type { Mode, OfferPhase } from './transaction/predecessor.ts';
export type { StateValue } from './transaction/state.ts';

/**
 * Finds the process that serves now and receives what it offers, or starts fresh. The predecessor serves on until
 * `ready()`.
 *
 * @throws ERR_HANDOFF_BUSY, ERR_HANDOFF_NOT_READY, ERR_HANDOFF_UNTRUSTED_PEER and others when there is a predecessor that
 *   refuses: it serves on, and this process should end; ERR_HANDOFF_ALREADY_OWNED where this process has the control path
 *   already, by another call
 */
export async function handoff(options: HandoffOptions = {}): Promise<Handoff> {
  const settings = readOptions(options);
  if (!isMainThread && settings.signals !== null) {
    throw new HandoffError(
      'ERR_HANDOFF_UNSUPPORTED_PLATFORM',
      'handoff() was called in a worker thread, which gets no signals: give { signals: false }, or call it in the main thread.',
    );
  }
  const given = takeGivenControl();
  const own = {
    ...settings,
    // Who is named by the PID file and reached on the control path is a worker's primary.
    ...(isWorker() ? { control: null, pidFile: null, share: true } : {}),
    // It is one path, and so for one of them.
    ...(!isWorker() && roster.next === 0 && given !== null ? { control: given } : {}),
  };
  const ordinal = roster.begin(own.control);
  try {
    return await begin(own, ordinal);
  } catch (error) {
    roster.giveUp(own.control);
    throw error;
  }
}

/** Makes the process's part from what there is before it. */
async function begin(settings: HandoffSettings, ordinal: number): Promise<Handoff> {
  if (isWorker()) return new Handoff(settings, signalsOf(settings), await findPrimary(settings.readyTimeout), null);
  // Told before anything is taken over.
  settings.pidFile?.check();
  if (!isSupported()) {
    return new Handoff(settings, signalsOf(settings), { is: 'fresh', control: null, passed: [] }, null);
  }
  const service =
    settings.systemd === null || currentRehearsal() !== null ? null : Service.take(settings.systemd.store);
  const found = await findPredecessor({
    control: settings.control,
    intent: settings.share ? 'share' : 'takeover',
    ordinal,
    timeout: settings.readyTimeout,
    passed: settings.systemd === null ? 'but-listen-fds' : 'all',
    inherit: settings.inherit,
    user: settings.user,
  });
  return new Handoff(settings, signalsOf(settings), found, service);
}

function signalsOf({ signals, repeatWithin }: HandoffSettings): SignalSettings | null {
  return signals === null ? null : { map: signals, repeatWithin };
}

/** Whether this process has its listeners from the one that has forked it. */
function isWorker(): boolean {
  return isClusterWorker() && isSupported();
}
