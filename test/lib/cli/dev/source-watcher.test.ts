import { once } from 'node:events';
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { dirname } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { SourceWatcher, type SourceWatcherOptions } from '../../../../lib/cli/dev/source-watcher.ts';
import { eventually } from '../../../support/eventually.ts';
import { TemporaryFolder } from '../../../support/temporary-folder.ts';

let folder: TemporaryFolder;
let watcher: SourceWatcher | null;
let told: string[][];

beforeEach(() => {
  folder = new TemporaryFolder();
  watcher = null;
  told = [];
});

afterEach(async () => {
  await watcher?.[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

function write(name: string, text = 'text'): void {
  mkdirSync(dirname(folder.file(name)), { recursive: true });
  writeFileSync(folder.file(name), text);
}

async function watch(options: Partial<SourceWatcherOptions> = {}): Promise<void> {
  watcher = await SourceWatcher.start({
    folder: folder.path,
    paths: ['.'],
    files: [],
    extensions: ['js'],
    ignored: [],
    delay: 10,
    onChange: (files) => told.push(files),
    onError: (error) => told.push([String(error)]),
    ...options,
  });
}

/** Changes all of these files; resolves with what was told when the wanted ones were, and one that was changed after them. */
async function toldOf(names: readonly string[], wanted: readonly string[]): Promise<string[]> {
  for (const name of names) write(name, 'changed');
  await eventually(
    () => wanted.every((name) => told.flat().includes(name)),
    () => told,
  );
  write('last.js', 'changed');
  await eventually(() => told.flat().includes('last.js'));
  return [...new Set(told.flat())].filter((name) => name !== 'last.js').sort();
}

it('tells of files that are new, changed and removed, also in folders that are new', async () => {
  write('old.js');
  write('gone.js');
  await watch();
  rmSync(folder.file('gone.js'));
  const wanted = ['gone.js', 'lib/deep/new.js', 'new.js', 'old.js'];
  expect(await toldOf(wanted.slice(1), wanted)).toEqual(wanted);
});

it('tells of a file that an editor puts in place of the old one', async () => {
  write('server.js');
  await watch();
  write('server.js~', 'changed');
  renameSync(folder.file('server.js~'), folder.file('server.js'));
  await eventually(() => told.flat().includes('server.js'));
});

it('leaves out what is no source, node_modules, and everything with a dot', async () => {
  const ignored = ['read.md', 'node_modules/a/b.js', '.git/c.js', '.d.js', 'lib/node_modules/e.js'];
  for (const name of ignored) write(name);
  write('f.js');
  await watch();
  expect(await toldOf([...ignored, 'f.js'], ['f.js'])).toEqual(['f.js']);
});

it('leaves out the sockets that programs make', async () => {
  await watch();
  const server = net.createServer();
  await once(server.listen(folder.file('control.sock')), 'listening');
  expect(await toldOf(['a.js'], ['a.js'])).toEqual(['a.js']);
  server.close();
  await once(server, 'close');
  write('end.js', 'changed');
  await eventually(() => told.flat().includes('end.js'));
  expect(told.flat()).not.toContain('control.sock');
});

it('leaves out names at any depth, folders with everything in them, and patterns of paths', async () => {
  const ignored = ['a.test.js', 'lib/b.test.js', 'dist/deep/c.js', 'lib/dist/d.js', 'public/e.js', 'src/made/f.js'];
  const wanted = ['g.js', 'lib/public/h.js', 'src/i.js'];
  for (const name of [...ignored, ...wanted]) write(name);
  await watch({ ignored: ['*.test.js', 'dist/', './public/**', 'src/*/*.js'] });
  expect(await toldOf([...ignored, ...wanted], wanted)).toEqual(wanted);
});

it('watches the paths that it is given and nothing else; a file among them whatever it is called', async () => {
  const wanted = ['.env', 'config.yaml', 'node_modules/mine/a.js', 'src/b.js', 'src/run'];
  const others = ['c.js', 'src/.hidden.js', 'src/d.md', 'node_modules/other/e.js'];
  for (const name of [...wanted, ...others, 'last.js']) write(name);
  await watch({
    paths: ['.env', 'config.yaml', 'src', 'node_modules/mine', 'last.js'],
    files: ['src/run'],
  });
  expect(await toldOf([...wanted, ...others], wanted)).toEqual(wanted);
});

it('tells of many changes at once', async () => {
  write('c.js');
  await watch({ delay: 2_000 });
  for (const name of ['a.js', 'b.js', 'c.js']) write(name, 'changed');
  await eventually(() => told.length > 0);
  expect(told.map((files) => [...files].sort())).toEqual([['a.js', 'b.js', 'c.js']]);
});

it('cannot watch what is not there', async () => {
  await expect(watch({ paths: ['nowhere'] })).rejects.toMatchObject({ code: 'ENOENT' });
});
