import { describe, expect, it } from 'vitest';
import { presetLimit, signalMap, signalPresets } from '../../../lib/signals/signal-presets.ts';

describe('signalMap', () => {
  it('knows the presets, none, and a map of one’s own', () => {
    for (const name of ['default', 'endless', 'grace', 'teleport', 'nginx'] as const) {
      expect(signalMap(name)).toBe(signalPresets[name]);
    }
    expect(signalMap(false)).toBeNull();
    const own = { ...signalPresets.nginx, SIGWINCH: 'none', SIGHUP: () => {} } as const;
    expect(signalMap(own)).toBe(own);
  });

  it.each(['systemd', 'toString', 7, null, true])('names the presets there are when it is given %s', (option) => {
    expect(() => signalMap(option as never)).toThrow(
      `there is no preset "${option}"; there is "default", "endless", "grace", "teleport", "nginx"`,
    );
  });
});

describe('presetLimit', () => {
  it('is the minute of endless and grace, and else nobody’s', () => {
    expect(presetLimit('endless')).toBe(60_000);
    expect(presetLimit('grace')).toBe(60_000);
    for (const option of ['default', 'teleport', 'nginx', false, { ...signalPresets.endless }]) {
      expect(presetLimit(option)).toBeNull();
    }
  });
});

describe('the SIGUSR2 of endless', () => {
  it('hammers a process that drains, and leaves one alone that serves', () => {
    let hammered = 0;
    const hammer = () => {
      hammered++;
    };
    signalPresets.endless.SIGUSR2({ draining: new AbortController().signal, hammer });
    expect(hammered).toBe(0);
    signalPresets.endless.SIGUSR2({ draining: AbortSignal.abort(), hammer });
    expect(hammered).toBe(1);
  });
});
