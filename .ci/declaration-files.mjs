// Keeps the declaration files that somebody can reach from an entry of the package, and deletes the others: what only lib/
// itself uses would be a quarter of what is installed.
import { readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = fileURLToPath(new URL('..', import.meta.url));
const output = join(root, 'dist');
const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

const reached = new Set();

/** Goes to what a declaration file imports by a relative path, which TypeScript leaves as it stands in the source. */
function follow(file) {
  if (reached.has(file)) return;
  reached.add(file);
  for (const { fileName } of ts.preProcessFile(readFileSync(file, 'utf8')).importedFiles) {
    if (fileName.startsWith('.')) follow(join(dirname(file), fileName.replace(/\.[jt]s$/, '.d.ts')));
  }
}

for (const { types } of Object.values(exports)) {
  if (types !== undefined) follow(join(root, types));
}

const folders = [output];
for (const entry of readdirSync(output, { recursive: true, withFileTypes: true })) {
  const path = join(entry.parentPath, entry.name);
  if (entry.isDirectory()) folders.push(path);
  else if (path.endsWith('.d.ts') && !reached.has(path)) rmSync(path);
}
// The longest names first: what is in a folder goes before it.
for (const folder of folders.sort((a, b) => b.length - a.length)) {
  if (readdirSync(folder).length === 0) rmdirSync(folder);
}
