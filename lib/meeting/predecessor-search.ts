import { ReceivingChannel } from '../channel/channel.ts';
import { Control } from '../channel/control.ts';
import { Deadline } from '../channel/deadline.ts';
import { HandoffError, type HandoffErrorCode } from '../fd/handoff-error.ts';
import type { OwnedFd } from '../fd/owned-fd.ts';
import { CapturedStderr } from '../process/output/captured-stderr.ts';
import { type InheritedChannel, takeInheritedChannel, takeWorkerChannel } from '../process/start/environment.ts';
import { takePassed } from '../programs/passed-variables.ts';
import { Survival } from '../reexec/survival.ts';
import { currentRehearsal, type Rehearsal } from '../rehearsal/rehearsal.ts';
import type { PassedDescriptor } from '../systemd/listen-fds.ts';
import {
  checkControlPath,
  claimUnixPath,
  connectTo,
  type UnixListenerOptions,
} from '../transaction/path/control-path.ts';
import { pathError } from '../transaction/path/path-error.ts';
import { ownerForFiles } from '../transaction/path/service-files.ts';
import { ListenerTrust, type ServiceUser } from '../transaction/path/socket-owner.ts';
import { controlBacklog } from '../transaction/reception.ts';
import type { RehearsedInheritance } from '../transaction/rehearsed-inheritance.ts';
import { Takeover } from '../transaction/successor.ts';

export interface SearchOptions {
  /** The control path; null where there is none. */
  readonly control: string | null;
  readonly intent: 'takeover' | 'share';
  /** The user that the service becomes; null where none was named. */
  readonly user?: ServiceUser | null;
  /** Which call of `handoff()` in this process it is for, from 0. */
  readonly ordinal?: number;
  /** How long one predecessor may take to make its offer, in milliseconds. */
  readonly timeout: number;
  /** What to take of what whoever has started this process has passed to it; nothing by default. */
  readonly passed?: 'all' | 'but-listen-fds';
  /** What the application has from elsewhere, as if it had been passed; taken over. */
  readonly inherit?: readonly PassedDescriptor[];
}

/** What a starting process found. */
export type Found =
  /** This process is not to serve, but to show that it could. */
  | { readonly is: 'rehearsal'; readonly rehearsal: Rehearsal; readonly inheritance: RehearsedInheritance }
  /** This process is its own predecessor. */
  | { readonly is: 'survival'; readonly survival: Survival }
  | {
      readonly is: 'takeover';
      readonly takeover: Takeover;
      /** Whether the predecessor has started this process; somebody else has where it was found by the control path. */
      readonly spawned: boolean;
      readonly stderr: CapturedStderr | null;
      readonly passed: readonly PassedDescriptor[];
    }
  /** Nobody is there; the control path, where there is one, is ours now. */
  | { readonly is: 'fresh'; readonly control: OwnedFd | null; readonly passed: readonly PassedDescriptor[] };

/**
 * How often a path is tried whose owner changes under us: it died while we talked to it, or another start claimed it
 * between our look and our bind. Every round means that another process made progress, so that a few are plenty.
 */
const rounds = 10;

/** In the system's errors. */
const controlSocket = 'The control socket';

/** For its owner alone, from the first moment of the file; with a user named, that is the user which the service becomes. */
function controlOptions(user: ServiceUser | null): UnixListenerOptions {
  return { mode: 0o600, backlog: controlBacklog, owner: ownerForFiles(user) };
}

/**
 * How long the folder of the control path may stay locked by another start. The lock is held for a few system calls; ten
 * seconds say that something else locks that folder.
 */
const claimTimeout = 10_000;

/**
 * Looks for a predecessor, in the documented order: none in a rehearsal, this process itself before an exec, the one that
 * spawned this process, then whoever answers on the control path. A predecessor that dies before its offer is complete has
 * none to give: the search goes on. What whoever started this process has passed to it is taken besides.
 */
export async function findPredecessor(options: SearchOptions): Promise<Found> {
  const { inherit = [] } = options;
  try {
    const found = await find(options, inherit);
    if (!('passed' in found)) closeAll(inherit);
    return found;
  } catch (error) {
    closeAll(inherit);
    throw error;
  }
}

async function find(options: SearchOptions, inherit: readonly PassedDescriptor[]): Promise<Found> {
  const rehearsal = currentRehearsal();
  if (rehearsal !== null) {
    return { is: 'rehearsal', rehearsal, inheritance: await rehearsal.inheritance(options.timeout) };
  }
  const survival = Survival.take();
  if (survival !== null) return { is: 'survival', survival };
  const inherited = takeInheritedChannel(process.env, options.ordinal ?? 0);
  if (inherited !== null) {
    const taken = await takeOverFromParent(inherited, options.intent, options.timeout);
    if (taken !== null) return { is: 'takeover', ...taken, spawned: true, passed: inherit };
  }
  // Before anything is awaited: what is started meanwhile would take them for its own. And after the channel, which comes
  // with variables of the same names where the predecessor did not know what it spawned.
  const passed = options.passed === undefined ? [] : takePassed(options.passed === 'all');
  try {
    return await findByPath(options, [...passed, ...inherit]);
  } catch (error) {
    closeAll(passed);
    throw error;
  }
}

function closeAll(passed: readonly PassedDescriptor[]): void {
  for (const { descriptor } of passed) descriptor.close();
}

async function findByPath(
  { control, intent, timeout, user = null }: SearchOptions,
  passed: readonly PassedDescriptor[],
): Promise<Found> {
  if (control === null) return { is: 'fresh', control: null, passed };
  try {
    return await findAt(control, { intent, timeout, user }, passed);
  } catch (error) {
    throw pathError(error, controlSocket, control);
  }
}

async function findAt(
  control: string,
  { intent, timeout, user }: Pick<SearchOptions, 'intent' | 'timeout'> & { readonly user: ServiceUser | null },
  passed: readonly PassedDescriptor[],
): Promise<Found> {
  checkControlPath(control);
  for (let round = 0; round < rounds; round++) {
    using deadline = Deadline.after(timeout, `The process that listens on ${control} made no offer`);
    const trust = ListenerTrust.before(control, user);
    const connection = await connectTo(control, deadline.signal);
    if (connection === null) {
      const claimed = await claimUnixPath(control, controlOptions(user), deadline.signal);
      if (claimed !== null) return { is: 'fresh', control: claimed, passed };
      continue;
    }
    trust.require(connection);
    const lane = await connectTo(control, deadline.signal).catch((error) => {
      connection.close();
      throw error;
    });
    if (lane === null) {
      connection.close();
      continue;
    }
    const takeover = await takeOver(connection, lane, intent, timeout);
    if (takeover !== null) return { is: 'takeover', takeover, spawned: false, stderr: null, passed };
  }
  throw new HandoffError(
    'ERR_HANDOFF_ALREADY_OWNED',
    `The control path ${control} changed hands ${rounds} times while this process tried to take over: are several versions being started at once?`,
  );
}

/**
 * Takes copies of the listeners of the primary that has forked this worker.
 *
 * @throws ERR_HANDOFF_UNSUPPORTED_PLATFORM where it was forked by something else than `workers()`,
 *   ERR_HANDOFF_PREDECESSOR_EXITED where the primary is gone
 */
export async function findPrimary(timeout: number): Promise<Found> {
  const inherited = takeWorkerChannel();
  if (inherited === null) {
    // `listen({ fd })` sends the number to the primary there, which serves whatever it has under that number.
    throw new HandoffError(
      'ERR_HANDOFF_UNSUPPORTED_PLATFORM',
      'handoff() was called in a node:cluster worker that was not forked by it: the listeners of cluster.fork() belong to the primary. Call handoff(), hold() and workers() in the primary in place of cluster.fork(), or start several processes with { share: true } instead.',
    );
  }
  const taken = await takeOverFromParent(inherited, 'share', timeout);
  if (taken !== null) return { is: 'takeover', ...taken, spawned: true, passed: [] };
  throw new HandoffError(
    'ERR_HANDOFF_PREDECESSOR_EXITED',
    `The primary of this worker is gone, before it had given it a listener (its parent is process ${process.ppid} now).`,
  );
}

/**
 * Binds a control path that nobody listens on.
 *
 * @param user the user that the service becomes; null where none was named
 * @throws ERR_HANDOFF_ALREADY_OWNED where somebody does
 */
export async function claimControlPath(path: string, user: ServiceUser | null = null): Promise<OwnedFd> {
  using deadline = Deadline.after(claimTimeout, `The folder of ${path} was not unlocked`);
  const claimed = await claimUnixPath(path, controlOptions(user), deadline.signal).catch((error) => {
    throw pathError(error, controlSocket, path);
  });
  if (claimed !== null) return claimed;
  throw new HandoffError(
    'ERR_HANDOFF_ALREADY_OWNED',
    `Another process listens on the control path ${path}: this one serves, but cannot be reached there.`,
  );
}

/**
 * What says that there is nothing to be had from this predecessor, and perhaps from the next: it died, or it has just
 * handed over to somebody else, who answers on the path now.
 */
const gone: readonly HandoffErrorCode[] = ['ERR_HANDOFF_PREDECESSOR_EXITED', 'ERR_HANDOFF_NOT_READY'];

/** Takes the offer of the process that has started this one; null where that is gone. */
async function takeOverFromParent(
  inherited: InheritedChannel,
  intent: SearchOptions['intent'],
  timeout: number,
): Promise<{ takeover: Takeover; stderr: CapturedStderr | null } | null> {
  const taking = takeOver(inherited.control, inherited.lane, intent, timeout);
  // After HELLO has left: to make the stream of standard error takes a millisecond, in which the predecessor answers.
  const stderr = inherited.stderr === null ? null : new CapturedStderr(inherited.stderr);
  const takeover = await taking;
  if (takeover !== null) return { takeover, stderr };
  stderr?.restore('here');
  return null;
}

/** Takes the offer of the process at the other end; null where that is gone. Both connections are taken over. */
async function takeOver(
  control: OwnedFd,
  lane: OwnedFd,
  intent: SearchOptions['intent'],
  timeout: number,
): Promise<Takeover | null> {
  using deadline = Deadline.after(timeout, 'The predecessor did not complete its offer');
  const channel = new ReceivingChannel(Control.over(control, 'predecessor'), lane);
  try {
    return await Takeover.begin(channel, intent, deadline.signal);
  } catch (error) {
    if (error instanceof HandoffError && gone.includes(error.code)) return null;
    throw error;
  }
}
