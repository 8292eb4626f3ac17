import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { EventEmitter, once } from 'node:events';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Announcements } from '../../../lib/app/announcements.ts';
import type { Handoff } from '../../../lib/index.ts';
import type { HandoffEvents } from '../../../lib/lifecycle/contract/events.ts';

const failure = new Error('what a listener throws');

afterEach(() => {
  vi.restoreAllMocks();
});

function announced(): { readonly app: EventEmitter<HandoffEvents>; readonly announcements: Announcements } {
  const app = new EventEmitter<HandoffEvents>();
  // Of the `Handoff` it is only an emitter of events that it needs.
  return { app, announcements: new Announcements(app as Handoff) };
}

describe('what happens', () => {
  it('is an event, and the same on diagnostics_channel', () => {
    const { app, announcements } = announced();
    const heard: unknown[] = [];
    const listener = (message: unknown) => heard.push(message);
    subscribe('fd-handoff:give-back', listener);
    app.on('give-back', (payload) => heard.push(payload));
    announcements.tell('give-back', { pid: 7 });
    unsubscribe('fd-handoff:give-back', listener);
    expect(heard).toEqual([{ handoff: app, pid: 7 }, { pid: 7 }]);
  });

  it('goes on when a listener throws, which is reported', () => {
    const { app, announcements } = announced();
    const errors: Error[] = [];
    app.on('error', (error) => errors.push(error));
    app.on('resume', () => {
      throw failure;
    });
    expect(() => announcements.tell('resume')).not.toThrow();
    expect(errors).toEqual([failure]);
  });
});

describe('what fails without anybody awaiting it', () => {
  it('is the event "error"; what is no error becomes one', async () => {
    const { app, announcements } = announced();
    const told = once(app, 'error');
    announcements.inBackground(Promise.reject('a text'));
    expect(await told).toEqual([new Error('a text')]);
  });

  it('is a process warning with its code where nobody listens', () => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    announced().announcements.report(Object.assign(new Error('full'), { code: 'EMFILE' }));
    announced().announcements.report(failure);
    expect(warned.mock.calls).toEqual([
      ['full', { type: 'HandoffWarning', code: 'EMFILE' }],
      [failure.message, { type: 'HandoffWarning', code: 'FD_HANDOFF_ERROR' }],
    ]);
  });

  it('is fatal when the listener for errors throws, but not before the present step is done', () => {
    const { app, announcements } = announced();
    const later: (() => void)[] = [];
    vi.spyOn(process, 'nextTick').mockImplementation((step) => void later.push(step as () => void));
    app.on('error', () => {
      throw failure;
    });
    expect(() => announcements.report(new Error('first'))).not.toThrow();
    expect(later).toHaveLength(1);
    expect(later[0]).toThrow(failure);
  });
});
