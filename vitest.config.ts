import { defineConfig } from 'vitest/config';

/** Those that replace a module, or look at what the process as a whole has, can have no file before them. */
const alone = ['test/lib/reexec/exec-record.test.ts', 'test/lib/servers/http/request-counts.test.ts'];

export default defineConfig({
  test: {
    // A descriptor that a test file leaves open fails it.
    setupFiles: ['test/support/descriptor-leaks.ts'],
    // Generous on purpose: a test ends by an event, this only ends one that hangs.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // The same for what a test asks again and again until it holds.
    expect: { poll: { timeout: 30_000 } },
    pool: 'forks',
    projects: [
      {
        extends: true,
        test: {
          name: 'files',
          include: ['test/lib/**/*.test.ts'],
          exclude: alone,
          // In the same few processes: to start one for each of two hundred files takes longer than most of their tests. What a
          // file leaves behind fails it, or the next one: it has to clean up.
          isolate: false,
          maxWorkers: 3,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'processes',
          include: ['test/e2e/**/*.test.ts', 'test/package/**/*.test.ts', 'test/docs/**/*.test.ts', ...alone],
          // They import the package by its name, as its users do: what dist/ declares is what is tested.
          typecheck: { enabled: true, include: ['test/types/**/*.test-d.ts'] },
          // A process each: descriptors, signals and environment variables belong to a process, not to a thread.
          // No more at a time than processors: with four, deadlines of half a minute were not kept on two.
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
