import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './packed.ts';
import { TemporaryFolder } from './temporary-folder.ts';

/** What of the project is in the package that others install, as far as a program needs it. */
const packed = ['package.json', 'dist', 'prebuilds'];

/** A project of somebody else, a folder with the package and its dependency in node_modules: copies, no links into here. */
export class Installation extends TemporaryFolder {
  constructor() {
    super();
    const folder = this.file('node_modules/fd-handoff');
    mkdirSync(folder, { recursive: true });
    for (const name of packed) cpSync(join(root, name), join(folder, name), { recursive: true });
    cpSync(join(root, 'node_modules', 'node-gyp-build'), this.file('node_modules/node-gyp-build'), { recursive: true });
  }
}
