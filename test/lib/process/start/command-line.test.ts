import { spawn } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { parseCommandLine, sourceOf, splitArguments } from '../../../../lib/process/start/command-line.ts';
import { libraryFile, outcome, typescriptOptions } from '../../../support/child-script.ts';

describe('what the kernel has of a command line', () => {
  it('is every argument, empty ones included', () => {
    const text = 'node\0server.js\0\0--port\x0080\0';
    expect(parseCommandLine(text, 'node', 4)).toEqual({ program: 'node', args: ['server.js', '', '--port', '80'] });
    expect(parseCommandLine('./app\0', './app', 2)).toBeNull();
    expect(parseCommandLine('./app\0', './app', 1)).toEqual({ program: './app', args: [] });
  });

  it('is none where a title was written over it', () => {
    expect(parseCommandLine('my server\0\0\0\0\0', 'node', 2)).toBeNull();
    expect(parseCommandLine('node\0\0\0\0\0\0', 'node', 2)).toBeNull();
  });
});

const tell = `
  const { commandLineOfThisProcess } = await import(${libraryFile('process/start/command-line.ts')});
  console.log(JSON.stringify(commandLineOfThisProcess()));
`;

describe('the command line of a process', () => {
  it.each([
    ['was spliced by the program', 'process.argv.splice(1); process.execArgv.length = 0;'],
    ['is hidden by a title', "process.title = 'a title that is longer than the name';"],
    ['is hidden by a title that is its name', 'process.title = process.argv0;'],
  ])('is what was started, also where it %s', async (_, change) => {
    const args = [...typescriptOptions, '--no-deprecation', '-e', change + tell, 'one', ''];
    const { stdout, stderr } = await outcome(spawn(process.execPath, args));
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toEqual({ program: process.execPath, args });
  });
});

describe('the arguments of Node', () => {
  it.each([
    [['server.js', 'a'], 0, { options: [], script: 'server.js', args: ['a'] }],
    [['--no-deprecation', '.', '--x'], 1, { options: ['--no-deprecation'], script: '.', args: ['--x'] }],
    [['--no-deprecation', '--', 'server'], 1, { options: ['--no-deprecation'], script: 'server', args: [] }],
    [['-e', 'code', 'a'], 2, { options: ['-e', 'code'], script: null, args: ['a'] }],
    [['--input-type=module', '-', 'a'], 1, { options: ['--input-type=module'], script: null, args: ['-', 'a'] }],
    [[], 0, { options: [], script: null, args: [] }],
  ])('%j', (args, options, expected) => {
    expect(splitArguments(args, options)).toEqual(expected);
  });

  it('are all the program’s where that is a part of the executable', () => {
    expect(splitArguments(['a', 'b'], 0, true)).toEqual({ options: [], script: null, args: ['a', 'b'] });
  });
});

describe('where a program comes from', () => {
  const source = (args: string[], options: number, nodeOptions?: string) =>
    sourceOf(splitArguments(args, options), false, nodeOptions);

  it('is told from its arguments', () => {
    expect(source(['server.js'], 0)).toBe('script');
    expect(source(['--eval=code'], 1)).toBe('command line');
    expect(source(['-p', 'code', 'a'], 2)).toBe('command line');
    expect(source(['--import', './server.js'], 2)).toBe('preload');
    expect(source([], 0, '--max-old-space-size=99 -r ./server.js')).toBe('preload');
    expect(source(['--run', 'start'], 2)).toBe('preload');
    expect(source([], 0)).toBe('standard input');
    expect(source(['--input-type=module', '-'], 1)).toBe('standard input');
    expect(sourceOf(splitArguments(['a'], 0, true), true)).toBe('executable');
  });
});
