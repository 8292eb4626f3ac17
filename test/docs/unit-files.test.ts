import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { needs } from '../support/needs.ts';
import { root } from '../support/packed.ts';
import { TemporaryFolder } from '../support/temporary-folder.ts';

const folder = join(root, 'docs', 'systemd');
const units = readdirSync(folder);

/** What Debian's systemd, 252, does not know yet; the files say since when there is such a thing. */
const later = [/service type, ignoring: notify-reload/, /Unknown key.* 'ReloadSignal'/];

/** What systemd finds wrong with our unit files. It asks no running systemd, and starts nothing. */
async function complaints(change: (text: string) => string = (text) => text): Promise<string[]> {
  using temporary = new TemporaryFolder();
  for (const unit of units) {
    // It looks whether the program and the user are there.
    const text = readFileSync(join(folder, unit), 'utf8')
      .replaceAll('/usr/bin/node', process.execPath)
      .replaceAll('User=app', 'User=root');
    writeFileSync(temporary.file(unit), change(text));
  }
  const paths = units.map((unit) => temporary.file(unit));
  const verify = promisify(execFile)('systemd-analyze', ['verify', '--man=no', '--recursive-errors=no', ...paths]);
  // It exits with 1 for what it only ignores, too.
  const { stderr } = await verify.catch((error) => error as { stderr: string });
  const ours = stderr.split('\n').filter((line) => units.some((unit) => line.includes(unit)));
  return ours.filter((line) => !later.some((known) => known.test(line)));
}

test.skipIf(process.platform !== 'linux')('systemd has nothing to say against the unit files', async (context) => {
  needs(context, 'systemd-analyze', '--version');
  expect(await complaints()).toEqual([]);
  expect(await complaints((text) => text.replace('WatchdogSec=30', 'WatchdogSec=often'))).not.toEqual([]);
});
