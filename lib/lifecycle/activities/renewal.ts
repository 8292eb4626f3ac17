import { Deadline, untilAborted } from '../../channel/deadline.ts';
import { debuggerPort } from '../../process/debugger-port.ts';
import { withGivenControl } from '../../process/given-control.ts';
import { flushOutput } from '../../process/leave.ts';
import { execInPlace, type Image, imageOf } from '../../reexec/exec-in-place.ts';
import { openExecRecord } from '../../reexec/exec-record.ts';
import { KeptParentChannel } from '../../reexec/kept-parent-channel.ts';
import { recordForExec } from '../../reexec/survival.ts';
import { defaultPreflight } from '../../rehearsal/preflight.ts';
import { Mover, Survivors } from '../../servers/index.ts';
import type { SavedState } from '../../transaction/state.ts';
import type { ReexecOptions } from '../contract/call-options.ts';
import { Attempt } from '../parts/attempt.ts';
import type { Parts } from '../parts/parts.ts';
import { adoptAll } from './adoption.ts';
import { patientLimits } from './drain.ts';
import { passTrial, prepareLaunch } from './launching.ts';
import type { Return } from './return.ts';

/** A re-exec: the preflight of the next image, the drain before it, and the exec, which does not return. */
export class Renewal {
  readonly #parts: Parts;
  readonly #survivors = new Survivors();
  readonly #mover = new Mover((batch) => this.#survivors.send(batch));

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /**
   * Replaces this process's image. Returns only by rejecting: this process serves on then.
   *
   * @param back by which it takes up service again
   */
  async replace(options: ReexecOptions, back: Return): Promise<never> {
    using record = openExecRecord();
    const image = await this.#pass(options);
    let parent: KeptParentChannel | null = null;
    try {
      const { life, settings, estate } = this.#parts;
      const { shutdownTimeout } = settings;
      using deadline = Deadline.after(shutdownTimeout, 'The state was not saved');
      const early = await untilAborted(estate.states.save('early'), deadline.signal);
      await this.#hangUpOnPredecessor(deadline.signal);
      // While clients are still served: nobody is to wait for a reader that does not read.
      const isRead = await flushOutput();
      life.reach({ is: 'prepared' });
      await this.#drain();
      using lateDeadline = Deadline.after(shutdownTimeout, 'The late state was not saved');
      const late = await untilAborted(estate.states.save('late'), lateDeadline.signal);
      if (isRead) await flushOutput();
      parent = await KeptParentChannel.bringToRest();
      life.reach({ is: 'emptied' });
      return this.#exec(image, { record, states: [...early, ...late], parent });
    } catch (error) {
      parent?.resume();
      await this.#fail(error as Error, back);
      throw error;
    }
  }

  /** Resolves with the next image when it has passed its preflight, and nothing was stopped yet. */
  async #pass(options: ReexecOptions): Promise<Image> {
    const { life, underway, service, announcer } = this.#parts;
    const attempt = new Attempt(options.signal);
    underway.attempt = attempt;
    try {
      const image = imageOf(await prepareLaunch(this.#parts, options, attempt.signal));
      await passTrial(this.#parts, options.preflight ?? defaultPreflight(image), image, attempt.signal);
      life.reach({ is: 'preflight-passed' });
      underway.mover = this.#mover;
      return image;
    } catch (error) {
      service.rolledBack(error as Error);
      announcer.tell('rollback', { error: error as Error });
      life.report({ is: 'preflight-failed' });
      throw error;
    } finally {
      attempt.end();
    }
  }

  /**
   * A predecessor that still drains may do so for an hour, and who connects to an image that is about to be replaced waits
   * in the queue: what it would still move here it finishes itself. Without a word it would take the end of the connection
   * for a death, and serve again. What it has promised to send comes first.
   */
  async #hangUpOnPredecessor(signal: AbortSignal): Promise<void> {
    const { upstream } = this.#parts.peers;
    if (upstream === null) return;
    await untilAborted(upstream.takeover.lateStatesRestored, signal);
    await upstream.takeover.leave();
  }

  async #drain(): Promise<void> {
    const { estate, clock, drainHooks, settings } = this.#parts;
    const { shutdownTimeout } = settings;
    const countdown = clock.begin(shutdownTimeout);
    await estate.drain({
      limits: patientLimits(shutdownTimeout),
      countdown,
      reason: 'handoff',
      cancel: new AbortController().signal,
      mover: this.#mover,
      noMoreComing: drainHooks.done(countdown.over),
    });
  }

  async #fail(error: Error, back: Return): Promise<void> {
    const { life, service, announcer, underway } = this.#parts;
    underway.mover = null;
    // Where it was told to stop meanwhile that has the last word, and its reason is the one that counts.
    if (life.report({ is: 'renewal-failed' })) await back.done().catch(() => {});
    this.takeBack();
    service.rolledBack(error);
    announcer.tell('rollback', { error });
  }

  /** What was set aside for an image that will not be is served to its end here. */
  takeBack(): void {
    adoptAll(this.#parts, this.#survivors.release());
  }

  #exec(
    image: Image,
    {
      record,
      states,
      parent,
    }: { record: ReturnType<typeof openExecRecord>; states: readonly SavedState[]; parent: KeptParentChannel | null },
  ): never {
    const { estate, control, generation, service } = this.#parts;
    const { connections } = this.#survivors;
    const descriptors = [...estate.descriptors, ...control.named];
    recordForExec(record, generation, descriptors, states, connections, debuggerPort.address);
    const surviving = [
      ...descriptors.map(({ fd }) => fd),
      ...connections.map(({ descriptor }) => descriptor.fd),
      ...(parent === null ? [] : [parent.fd]),
    ];
    const env = { ...withGivenControl(service.environmentAfterExec(image.env)), ...parent?.variables };
    return execInPlace({ ...image, env }, record, surviving);
  }
}
