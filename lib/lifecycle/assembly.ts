import { isClusterWorker } from '../cluster/pool-membership.ts';
import type { Found } from '../meeting/predecessor-search.ts';
import { roster } from '../process/roster.ts';
import { descriptorOf, Estate } from '../servers/index.ts';
import { PassedInheritance } from '../systemd/passed-inheritance.ts';
import type { Service } from '../systemd/service.ts';
import { JoinedInheritance } from '../transaction/joined-inheritance.ts';
import { controlName } from '../transaction/manifest.ts';
import { Reception, type Visitor } from '../transaction/reception.ts';
import { Reopenings } from '../transaction/reopenings.ts';
import type { Announcer } from './contract/announcer.ts';
import { Hooks } from './contract/hooks.ts';
import type { Settings } from './contract/settings.ts';
import { type Before, fateOfClosed, isLeaving } from './decision/state.ts';
import { ControlPost } from './parts/control-post.ts';
import { DrainClock } from './parts/drain-clock.ts';
import { DrainHooks } from './parts/drain-hooks.ts';
import { DrainingSignal } from './parts/draining-signal.ts';
import { Generations } from './parts/generations.ts';
import { Life, type LifeListener } from './parts/life.ts';
import type { Offered } from './parts/offered-listeners.ts';
import type { Parts, StopSignals } from './parts/parts.ts';
import { PidFilePost } from './parts/pid-file-post.ts';
import { ServiceLife } from './parts/service-life.ts';

export interface SuccessionOptions {
  readonly settings: Settings;
  /** What there was before this process. */
  readonly found: Found;
  readonly service: Service | null;
  readonly announcements: Announcer;
  readonly signals: StopSignals | null;
}

/** What the parts call back. */
export interface Callbacks extends LifeListener {
  readonly onVisitor: (visitor: Visitor) => void;
  /** Settles when this process is drained and has let go of everything. */
  readonly closed: Promise<unknown>;
}

/** Makes what a life acts on, from what the process was told and has found. */
export function assemble(options: SuccessionOptions, callbacks: Callbacks): Parts {
  const { settings, found, service, announcements: announcer, signals } = options;
  const report = (error: unknown) => announcer.report(error);
  const takeover = found.is === 'takeover' ? found.takeover : null;
  const survival = found.is === 'survival' ? found.survival : null;
  const rehearsal = found.is === 'rehearsal' ? found.rehearsal : null;
  const passed = passedTo(found, service);
  const former = found.is === 'rehearsal' ? found.inheritance : (survival ?? takeover);
  const inheritance = former !== null && passed !== null ? new JoinedInheritance(former, passed) : (former ?? passed);
  const survived = survival?.take(controlName) ?? null;
  const generation = inheritance?.generation ?? 0;
  const life = new Life({ is: 'starting', before: beforeOf(found), rehearsal: rehearsal !== null }, callbacks);
  const hooks = new Hooks(settings.hooks, settings, rehearsal !== null);
  const estate: Estate = new Estate(inheritance, {
    binding: isClusterWorker() ? 'inherits-only' : 'binds',
    hooks,
    fateOfClosed: () => fateOfClosed(life.state),
    onForgotten: () => parts.service.keep(),
    report,
    standardError: () => standardErrorOf(parts),
  });
  const reopenings = new Reopenings((signal) => {
    estate.reopen();
    announcer.tell('reopen', { signal });
  });
  takeover?.joinReopenings(reopenings);
  const keepsAll = settings.systemd?.keepsAll ?? false;
  const serviceLife = new ServiceLife({ service, estate, generation, keepsAll, report });
  serviceLife.begin(found, settings.readyTimeout);
  const reception = new Reception({
    descriptorOf,
    authorize: settings.authorize,
    onVisitor: callbacks.onVisitor,
    onRefusal: (error, peer) => announcer.publish('fd-handoff:refusal', { error, peer }),
  });
  const bound = found.is === 'fresh' ? found.control : null;
  const control = new ControlPost(settings.control, bound, reception, settings.user);
  if (survived !== null) control.inherit(survived);
  const membership = roster.join({
    listens: signals !== null,
    exits: settings.exit,
    owns: () => !isLeaving(life.state),
    control: settings.control,
  });
  const parts: Parts = {
    settings,
    generation,
    predecessor: inheritance?.predecessor ?? null,
    life,
    announcer,
    signals,
    membership,
    estate,
    hooks,
    drainHooks: new DrainHooks(report),
    closeHooks: [],
    control,
    pidFile: new PidFilePost(settings.pidFile, report),
    service: serviceLife,
    clock: new DrainClock(),
    draining: new DrainingSignal(),
    generations: new Generations(),
    reopenings,
    peers: { upstream: null, heir: null },
    underway: { attempt: null, pause: null, mover: null },
    takeover,
    survival,
    rehearsal,
    passed,
    offered: offeredBy(found, membership.ordinal),
    stderr: found.is === 'takeover' ? found.stderr : null,
    closed: callbacks.closed,
  };
  return parts;
}

/** The descriptor of the standard error that is meant: until commit 2 may lead to the predecessor. */
export function standardErrorOf({ stderr }: Parts): number {
  return stderr?.meant ?? 2;
}

/** What a process that found this has before it. */
function beforeOf(found: Found): Before {
  if (found.is !== 'takeover') return 'nobody';
  switch (found.takeover.mode) {
    case 'replace':
      return 'predecessor';
    case 'keep':
      return 'owner';
    case 'share':
      return 'sharers';
  }
}

/** What a process that found this must have use for. In a rehearsal only one of its `handoff()` calls is for that. */
function offeredBy(found: Found, ordinal: number): Offered | null {
  if (found.is === 'rehearsal') return found.inheritance.ordinal === ordinal ? found.inheritance : null;
  return found.is === 'takeover' && found.takeover.mode !== 'share' ? found.takeover : null;
}

/** What the service manager has passed to a process that found this. */
function passedTo(found: Found, service: Service | null): PassedInheritance | null {
  if (!('passed' in found) || found.passed.length === 0) return null;
  const offered = found.is === 'takeover' ? found.takeover.held : [];
  return new PassedInheritance(found.passed, service?.controlGroup ?? '', offered);
}
