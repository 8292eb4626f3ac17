import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/lib/**/*.test.ts', 'test/e2e/**/*.test.ts', 'test/package/**/*.test.ts', 'test/docs/**/*.test.ts'],
    // A descriptor that a test file leaves open fails it.
    setupFiles: ['test/support/descriptor-leaks.ts'],
    // They import the package by its name, as its users do: what dist/ declares is what is tested.
    typecheck: { enabled: true, include: ['test/types/**/*.test-d.ts'] },
    // A process each: descriptors, signals and environment variables belong to a process, not to a thread.
    pool: 'forks',
    // Two at a time: most of them wait for other processes, and none measures how long something takes.
    maxWorkers: 2,
    // Generous on purpose: a test ends by an event, this only ends one that hangs.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // The same for what a test asks again and again until it holds.
    expect: { poll: { timeout: 30_000 } },
  },
});
