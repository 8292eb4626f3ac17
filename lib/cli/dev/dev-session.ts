import { EventEmitter, on } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { askStatus } from '../../app/command-parts.ts';
import type { Exit } from '../../process/start/child.ts';
import type { Colour } from '../call/colours.ts';
import { exitCodeOf } from '../call/exit-code.ts';
import { StartedProgram } from './started-program.ts';

/**
 * How often a control path is asked whether the program that was started serves there, in milliseconds: often at first,
 * when it may be about to, and twice a second for one that will never.
 */
const firstInterval = 20;
const longestInterval = 500;

/** How long one that is asked may take to answer, in milliseconds. One that blocks its event loop longer is still there. */
const answerTimeout = 1_000;

/**
 * How long it may take, in milliseconds, until a version serves again whose successor has died, or one answers that has just
 * taken over: both need a few.
 */
const succession = 1_000;

/**
 * How long one that is there and does not answer is waited for, in milliseconds. A busy machine can keep an event loop from
 * its turn for a few seconds; one that hangs must not keep the next version from being started.
 */
const silence = 10_000;

/** How many files of a change are named. */
const namedFiles = 3;

export interface DevOrder {
  readonly command: string;
  readonly args: readonly string[];
  /** Where the programs take over from each other. */
  readonly control: string;
  /** What they are started with. */
  readonly environment: NodeJS.ProcessEnv;
  /** How long a program may take to end when it is told to, in milliseconds. */
  readonly stopTimeout: number;
  /** Whether the session ends when nobody serves any more. */
  readonly endsWithProgram: boolean;
  readonly say: (colour: Colour | null, text: string) => void;
}

/** What a program is to the session. */
type Role =
  /** Not seen on the control path yet. One that does not use this library stays so. */
  | 'starting'
  | 'serving'
  /** Another serves in its place, and it finishes what it has. */
  | 'leaving'
  /** Told to end. */
  | 'ending';

interface Member {
  readonly program: StartedProgram;
  readonly startedAt: number;
  role: Role;
}

/** Who answers on the control path. */
type Owner =
  | { readonly is: 'nobody' }
  /** Somebody is there and does not answer in time. */
  | { readonly is: 'silent' }
  | { readonly is: 'answering'; readonly pid: number };

type News =
  | { readonly is: 'change' }
  | { readonly is: 'serving'; readonly member: Member; readonly pid: number }
  | { readonly is: 'ended'; readonly member: Member; readonly exit: Exit };

/**
 * A program under development: started again whenever its files have changed, beside the version that serves, which it takes
 * over from by the control path. All versions are children of this process, so that it knows how each of them ends.
 *
 * News are dealt with one after the other. Only an order to stop does not wait for its turn.
 */
export class DevSession {
  readonly #order: DevOrder;
  readonly #members = new Set<Member>();
  readonly #news = new EventEmitter<{ news: [News] }>();
  readonly #over = new AbortController();
  readonly #changed = new Set<string>();
  /** Who was seen on the control path last. */
  #owner: number | null = null;
  /** A successor that another version has started: by a signal, or by hand. It is not a child of this process. */
  #stranger: number | null = null;
  #lastExit: Exit | null = null;
  #stops = 0;
  #lastWord: NodeJS.Signals = 'SIGTERM';

  constructor(order: DevOrder) {
    this.#order = order;
  }

  /** Starts the program; resolves with the exit code of this process when the session is over. */
  async run(): Promise<number> {
    // From now on nothing is missed, whatever is awaited first.
    const news = on(this.#news, 'news', { signal: this.#over.signal }) as AsyncIterable<[News]>;
    const owner = await this.#ask();
    if (owner.is === 'answering') this.#owner = owner.pid;
    if (!this.#over.signal.aborted) await this.#start();
    try {
      for await (const [item] of news) await this.#hear(item);
    } catch (error) {
      if (!this.#over.signal.aborted) throw error;
    }
    await Promise.all([this.#membersGone(), this.#strangerGone()]);
    return this.#lastExit === null ? 0 : exitCodeOf(this.#lastExit);
  }

  /** The program is to be started again: because of these files, or because somebody says so. */
  restart(files: readonly string[] = []): void {
    for (const file of files) this.#changed.add(file);
    this.#news.emit('news', { is: 'change' });
  }

  /** Ends the session, and every program with it. The second time they are told again, the third time they are killed. */
  stop(signal: NodeJS.Signals): void {
    this.#stops++;
    this.#over.abort();
    // What was only tried says nothing about how the session ends.
    const starting = this.#member('starting');
    if (starting !== null && this.#member('serving') !== null) starting.role = 'ending';
    const members = [...this.#members];
    if (members.length > 0 && this.#stops === 1) {
      this.#order.say('dim', `ending ${processes(members)} (${signal}; once more: at once)`);
    }
    for (const { program } of members) {
      if (this.#stops > 2) program.kill();
      else program.signal(signal);
    }
    if (this.#stops === 1) this.#lastWord = signal;
  }

  // ---- what happens ----

  async #hear(news: News): Promise<void> {
    if (this.#over.signal.aborted) return;
    switch (news.is) {
      case 'change':
        return this.#replace();
      case 'serving':
        // It may have ended, or been told to, since.
        if (news.member.role === 'starting' && this.#members.has(news.member)) this.#serves(news.member, news.pid);
        return;
      case 'ended':
        return this.#ended(news.member, news.exit);
    }
  }

  async #replace(): Promise<void> {
    const files = [...this.#changed];
    this.#changed.clear();
    this.#order.say('dim', files.length === 0 ? 'starting again' : `changed: ${listed(files)}`);
    const owner = await this.#ask();
    const starting = this.#member('starting');
    if (starting !== null && owner.is === 'answering' && owner.pid !== this.#owner) this.#serves(starting, owner.pid);
    else if (starting !== null) {
      // Beside one that serves it is nothing but an attempt. Killed, it cannot end the service of a version that it has
      // just taken over from: that one serves again then.
      const attempt = owner.is !== 'nobody';
      await this.#end(starting, attempt ? 'at once' : 'gently');
    }
    const serving = this.#member('serving');
    if (serving !== null && owner.is === 'nobody') await this.#end(serving, 'gently');
    if (this.#over.signal.aborted) return;
    // It could be started once; a program that is being installed anew may be gone for a moment.
    await this.#start().catch((error: Error) => this.#order.say('red', error.message));
  }

  async #start(): Promise<void> {
    const { command, args, environment: env, stopTimeout } = this.#order;
    const program = await StartedProgram.start({ command, args, env, stopTimeout });
    const member: Member = { program, startedAt: performance.now(), role: 'starting' };
    this.#members.add(member);
    const ended = new AbortController();
    void program.exited.then((exit) => {
      ended.abort();
      this.#members.delete(member);
      if (member.role !== 'ending') this.#news.emit('news', { is: 'ended', member, exit });
      if (member.role === 'serving' || member.role === 'starting') this.#lastExit = exit;
    });
    void this.#watchOwner(member, AbortSignal.any([ended.signal, this.#over.signal]));
    if (this.#over.signal.aborted) program.signal('SIGTERM');
  }

  /** Tells when somebody else than before answers on the control path: the program that has just been started. */
  async #watchOwner(member: Member, signal: AbortSignal): Promise<void> {
    for (let interval = firstInterval; !signal.aborted && member.role === 'starting'; ) {
      await delay(interval, undefined, { signal }).catch(() => {});
      interval = Math.min(interval * 1.2, longestInterval);
      const owner = await this.#ask();
      if (signal.aborted || owner.is !== 'answering' || owner.pid === this.#owner) continue;
      this.#news.emit('news', { is: 'serving', member, pid: owner.pid });
      return;
    }
  }

  #serves(member: Member, pid: number): void {
    const former = this.#member('serving');
    if (former !== null) former.role = 'leaving';
    member.role = 'serving';
    this.#owner = pid;
    this.#stranger = null;
    const time = Math.round(performance.now() - member.startedAt);
    const rest = former === null ? '' : `; process ${former.program.pid} finishes what it has`;
    this.#order.say('green', `process ${pid} serves, after ${time} ms${rest}`);
  }

  async #ended({ program, role }: Member, exit: Exit): Promise<void> {
    const how = `process ${program.pid} ended ${describeExit(exit)}`;
    if (role === 'leaving') {
      if (exit.code !== 0) this.#order.say('yellow', how);
      return;
    }
    const owner = await this.#whoServesNow(role === 'serving' ? this.#owner : null);
    const starting = this.#member('starting');
    if (role === 'serving' && starting !== null) {
      if (owner === null) this.#order.say('red', `${how}; the next version is starting`);
      // It has handed over, and was gone before anybody had looked.
      else this.#serves(starting, owner);
      return;
    }
    if (owner === null) {
      this.#owner = null;
      this.#order.say(exit.code === 0 ? 'yellow' : 'red', `${how}: nobody serves${this.#prospect()}`);
      if (this.#order.endsWithProgram && this.#members.size === 0) this.#over.abort();
      return;
    }
    if (role === 'starting' && owner === this.#owner) {
      this.#order.say('red', `${how} before it served: process ${owner} serves on`);
      return;
    }
    this.#owner = owner;
    const former = this.#member('leaving');
    if (former === null) this.#stranger = owner;
    else former.role = 'serving';
    this.#order.say('yellow', `${how}: process ${owner} serves`);
  }

  #prospect(): string {
    return this.#order.endsWithProgram ? '' : ', waiting for a change';
  }

  // ---- who serves ----

  async #ask(): Promise<Owner> {
    try {
      const { pid } = await askStatus(this.#order.control, answerTimeout);
      return typeof pid === 'number' ? { is: 'answering', pid } : { is: 'silent' };
    } catch (error) {
      return { is: (error as NodeJS.ErrnoException).code === 'ERR_HANDOFF_TIMEOUT' ? 'silent' : 'nobody' };
    }
  }

  /** The process that answers, and is not the one that has ended. One that is about to do so is waited for. */
  async #whoServesNow(ended: number | null): Promise<number | null> {
    const mayCome = this.#member('leaving') !== null || this.#member('starting') !== null;
    const begun = performance.now();
    for (;;) {
      const owner = await this.#ask();
      if (owner.is === 'answering' && owner.pid !== ended) return owner.pid;
      const patience = owner.is === 'silent' ? silence : mayCome ? succession : 0;
      if (performance.now() >= begun + patience || this.#over.signal.aborted) return null;
      await delay(firstInterval);
    }
  }

  /** The one with that role; the youngest, where there are several. */
  #member(role: Role): Member | null {
    return [...this.#members].findLast((member) => member.role === role) ?? null;
  }

  // ---- the end ----

  /** Resolves when it is gone. */
  async #end(member: Member, how: 'gently' | 'at once'): Promise<void> {
    member.role = 'ending';
    const { program } = member;
    if (how === 'at once') program.kill();
    else program.signal('SIGTERM');
    const timer = setTimeout(() => program.kill(), this.#order.stopTimeout);
    await program.exited;
    clearTimeout(timer);
  }

  async #membersGone(): Promise<void> {
    const timer = setTimeout(() => {
      this.#order.say('yellow', `${processes([...this.#members])} did not end: killed`);
      for (const { program } of this.#members) program.kill();
    }, this.#order.stopTimeout);
    await Promise.all([...this.#members].map(({ program }) => program.exited));
    clearTimeout(timer);
  }

  /** The end of one that is no child of this process is seen on the control path. */
  async #strangerGone(): Promise<void> {
    const until = performance.now() + this.#order.stopTimeout;
    for (let told = false; this.#stranger !== null; await delay(firstInterval)) {
      const owner = await this.#ask();
      const late = performance.now() > until;
      if (owner.is === 'silent') {
        if (!late) continue;
        // Its number may be another process's where it does not say itself that it is there.
        this.#order.say('yellow', `process ${this.#stranger} does not answer: it is left alone`);
        return;
      }
      if (owner.is !== 'answering' || owner.pid !== this.#stranger) return;
      if (late) process.kill(this.#stranger, 'SIGKILL');
      else if (!told) process.kill(this.#stranger, this.#lastWord);
      told = true;
    }
  }
}

function listed(files: readonly string[]): string {
  const rest = files.length - namedFiles;
  return files.slice(0, namedFiles).join(', ') + (rest > 0 ? ` and ${rest} more` : '');
}

function processes(members: readonly Member[]): string {
  const pids = members.map(({ program }) => program.pid);
  return `${pids.length === 1 ? 'process' : 'processes'} ${pids.join(', ')}`;
}

function describeExit({ code, signal }: Exit): string {
  return signal === null ? `with code ${code}` : `by ${signal}`;
}
