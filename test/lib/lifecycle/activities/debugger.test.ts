import { afterEach, expect, it, vi } from 'vitest';
import { passDebugger } from '../../../../lib/lifecycle/activities/debugger.ts';
import { debuggerPort } from '../../../../lib/process/debugger-port.ts';
import type { Successor } from '../../../../lib/transaction/predecessor.ts';

afterEach(() => vi.restoreAllMocks());

const address = { host: '127.0.0.1', port: 9229 };

function passed(own: typeof address | null, takes: boolean) {
  vi.spyOn(debuggerPort, 'address', 'get').mockReturnValue(own);
  const promise = vi.spyOn(debuggerPort, 'promise').mockImplementation(() => {});
  const pass = vi.fn(() => takes);
  passDebugger({ passDebugger: pass } as Partial<Successor> as Successor);
  return { offered: pass.mock.calls, promised: promise.mock.calls.length };
}

it('a successor that has use for the port gets it, and it is promised to that', () => {
  expect(passed(address, true)).toEqual({ offered: [[address]], promised: 1 });
});

it('one that has none leaves it here', () => {
  expect(passed(address, false)).toEqual({ offered: [[address]], promised: 0 });
});

it('where there is none nothing is offered', () => {
  expect(passed(null, true)).toEqual({ offered: [], promised: 0 });
});
