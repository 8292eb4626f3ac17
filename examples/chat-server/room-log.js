// The messages of all rooms, in one file that the processes of a deploy append to and follow. While connections move, some
// members of a room are in the old process and some in the new one: what one says the others must hear, each message once
// and in the same order. An append is whole and has one place in the file, so that is the order, and the place up to
// which a member has heard everything goes along with its connection. A real service has a broker or a database for this.
import { closeSync, fstatSync, openSync, readSync, watch, writeSync } from 'node:fs';

const newline = 10;

/** No entry is longer: it is one message of one member. */
const longestEntry = 64 * 1024;

/** How long what was said is kept at hand for those who are on the move, in milliseconds: longer than a drain. */
const memory = 60_000;

export class RoomLog {
  #file;
  #watcher;
  #forgetting;
  #onEntry;
  #reading = null;
  /** Everything before this was given to `onEntry`. */
  #position;
  /** What was said lately, by room. */
  #recent = new Map();

  /** @param onEntry gets each entry that is appended from now on by whomever, with its start and its end in the file */
  constructor(path, onEntry) {
    this.#file = openSync(path, 'a+');
    this.#onEntry = onEntry;
    this.#position = this.#nextEntry();
    this.#watcher = watch(path, { persistent: false }, () => this.#readSoon());
    this.#forgetting = setInterval(() => this.#forget(), memory / 4).unref();
  }

  get position() {
    return this.#position;
  }

  append(entry) {
    writeSync(this.#file, `${JSON.stringify(entry)}\n`);
    this.#readSoon();
  }

  /** What was said in a room from the place `start` on, as far as it was given to `onEntry`. */
  since(room, start) {
    return (this.#recent.get(room) ?? []).filter((entry) => entry.start >= start);
  }

  close() {
    clearInterval(this.#forgetting);
    this.#watcher.close();
    if (this.#reading !== null) clearImmediate(this.#reading);
    closeSync(this.#file);
  }

  /** Where the next entry begins. The last one may not be written to its end: others append while this process starts. */
  #nextEntry() {
    const { size } = fstatSync(this.#file);
    const tail = Buffer.alloc(Math.min(size, longestEntry));
    const from = size - tail.length;
    const length = readSync(this.#file, tail, 0, tail.length, from);
    return from + tail.subarray(0, length).lastIndexOf(newline) + 1;
  }

  /** Once a turn, however many have appended. */
  #readSoon() {
    this.#reading ??= setImmediate(() => {
      this.#reading = null;
      this.read();
    });
  }

  /** Gives to `onEntry` what there is. */
  read() {
    const bytes = Buffer.alloc(fstatSync(this.#file).size - this.#position);
    const length = readSync(this.#file, bytes, 0, bytes.length, this.#position);
    const base = this.#position;
    let start = 0;
    // Whole entries only: the last one may not be written to its end.
    for (let end = bytes.indexOf(newline); end >= 0 && end < length; end = bytes.indexOf(newline, start)) {
      const entry = { ...JSON.parse(bytes.toString('utf8', start, end)), start: base + start, end: base + end + 1 };
      start = end + 1;
      this.#position = entry.end;
      this.#remember(entry);
      this.#onEntry(entry);
    }
  }

  #remember(entry) {
    const entries = this.#recent.get(entry.room) ?? [];
    this.#recent.set(entry.room, entries);
    entries.push({ ...entry, at: performance.now() });
  }

  #forget() {
    const limit = performance.now() - memory;
    for (const [room, entries] of this.#recent) {
      const kept = entries.filter(({ at }) => at > limit);
      if (kept.length === 0) this.#recent.delete(room);
      else this.#recent.set(room, kept);
    }
  }
}
