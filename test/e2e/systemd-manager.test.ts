import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, type TestContext, test } from 'vitest';
import { ask, askJson } from '../support/ask.ts';
import { serverProgram } from '../support/program.ts';
import { Scene } from '../support/scene.ts';
import { StrictLoad } from '../support/strict-load.ts';
import { Systemd } from '../support/systemd.ts';
import { documentedUnit } from '../support/unit-file.ts';

// Where the manager is systemd itself, a user's one, with the unit files of docs/systemd. In systemd.test.ts it is a
// stand-in, which tells what it hears.

/** A service of the documentation, with the end-to-end server as its program. */
class ServiceFixture {
  readonly folder: string;
  readonly current: string;

  constructor(folder: string) {
    this.folder = folder;
    this.current = join(folder, 'current');
    symlinkSync(dirname(serverProgram), this.current);
  }

  /** A user's manager has no `User=`. */
  unit(name: string, env: Readonly<Record<string, string>>, values: Readonly<Record<string, string>> = {}): string {
    const environment = Object.entries(env).map(([variable, value]) => `'${variable}=${value}'`);
    return documentedUnit(name, {
      ExecStart: `${process.execPath} ${this.current}/server.js`,
      User: null,
      Environment: environment.join(' '),
      ExecStopPost: `/bin/sh -c 'echo "ended: $SERVICE_RESULT, $EXIT_CODE $EXIT_STATUS"'`,
      StandardOutput: `append:${this.folder}/output`,
      StandardError: `append:${this.folder}/output`,
      ...values,
    });
  }

  /** Puts a version on the disk that ends before it serves. */
  breakCurrent(): void {
    const broken = join(this.folder, 'broken');
    mkdirSync(broken);
    writeFileSync(join(broken, 'server.js'), 'process.exit(7);\n');
    symlinkSync(broken, join(this.folder, 'next'));
    renameSync(join(this.folder, 'next'), this.current);
  }
}

const CONTROL = '%t/app/control.sock';
const both = '[{"name":"web","host":"127.0.0.1","port":0},{"name":"local","path":"%t/app/local.sock"}]';
const OPTIONS = '{"systemd":{"store":true}}';
const stored = { CONTROL, LISTENERS: both, OPTIONS };

/** app.service, started by systemctl. */
async function started(context: TestContext, scene: Scene, values: Readonly<Record<string, string>> = {}) {
  const fixture = new ServiceFixture(scene.folder);
  const unit = fixture.unit('app.service', stored, values);
  const systemd = await Systemd.start(context, scene, { 'app.service': unit });
  await systemd.systemctl('start', 'app.service').catch((cause) => {
    throw new Error(`it did not start: ${systemd.said}`, { cause });
  });
  const local = () => ({ socketPath: systemd.path('app/local.sock') });
  const status = await askJson<{ listeners: { name: string; port?: number }[] }>(local(), '/admin/status');
  const port = status.listeners.find(({ name }) => name === 'web')?.port as number;
  return { fixture, systemd, local, port, first: await systemd.mainPid('app.service') };
}

describe.skipIf(process.platform !== 'linux')('a running systemd', () => {
  test('starts, reloads and stops a service of Type=notify under strict load', async (context) => {
    await using scene = new Scene();
    const { fixture, systemd, local, port, first } = await started(context, scene);
    expect(await systemd.show('app.service')).toMatchObject({
      ActiveState: 'active',
      StatusText: expect.stringMatching(/^Serving/),
    });
    expect((await ask({ port })).servedBy).toBe(first);

    const loads = [new StrictLoad(port), new StrictLoad(local().socketPath)];
    let former = first;
    for (let reload = 0; reload < 3; reload++) {
      await Promise.all(loads.map((load) => load.servedBy(former)));
      await systemd.systemctl('reload', 'app.service');
      const next = await systemd.mainAfter('app.service', former);
      await Promise.all(loads.map((load) => load.servedBy(next)));
      former = next;
    }
    fixture.breakCurrent();
    await systemd.systemctl('reload', 'app.service');
    const failed = await systemd.shows('app.service', {
      StatusText: expect.stringMatching(/the last replacement failed/),
    });
    expect(failed).toMatchObject({ ActiveState: 'active', MainPID: String(former), NRestarts: '0' });
    expect((await ask({ port })).servedBy).toBe(former);
    const requests = await Promise.all(loads.map((load) => load.end()));
    console.log(JSON.stringify({ reloads: 3, requests }));

    const slow = ask({ port }, '/?wait=2000');
    await expect.poll(() => systemd.said, { timeout: 30_000 }).toContain('"began"');
    await systemd.systemctl('stop', 'app.service');
    expect((await slow).servedBy).toBe(former);
    expect(systemd.said).toContain('ended: success, exited 0');
    expect(await systemd.show('app.service')).toMatchObject({ ActiveState: 'inactive', NRestarts: '0' });
  });

  test('keeps the listeners of a process that is killed under strict load: 0 refused', async (context) => {
    await using scene = new Scene();
    const { systemd, local, port, first } = await started(context, scene);
    expect(await systemd.show('app.service')).toMatchObject({ NFileDescriptorStore: '2' });
    const loads = [new StrictLoad(port), new StrictLoad(local().socketPath)];
    let former = first;
    for (let crash = 1; crash <= 6; crash++) {
      await Promise.all(loads.map((load) => load.servedBy(former)));
      await systemd.systemctl('kill', '--signal=SIGKILL', '--kill-who=main', 'app.service');
      const next = await systemd.mainAfter('app.service', former);
      await Promise.all(loads.map((load) => load.servedBy(next)));
      former = next;
      expect(await systemd.show('app.service')).toMatchObject({ NRestarts: String(crash), NFileDescriptorStore: '2' });
    }
    for (const load of loads) {
      const { requests, refused, cut } = await load.endAfterCrashes();
      console.log(JSON.stringify({ crashes: 6, requests, refused, cut }));
      expect(refused).toBe(0);
      // What a killed process was in the middle of: at most one request of each of the 25 clients.
      expect(cut).toBeLessThanOrEqual(6 * 25);
    }
  });

  test('keeps the listeners over a crash of a successor, and over a restart', async (context) => {
    await using scene = new Scene();
    const { systemd, port, first } = await started(context, scene);
    await systemd.systemctl('reload', 'app.service');
    const second = await systemd.mainAfter('app.service', first);
    await systemd.systemctl('kill', '--signal=SIGKILL', '--kill-who=main', 'app.service');
    const third = await systemd.mainAfter('app.service', second);
    expect((await ask({ port })).servedBy).toBe(third);
    await systemd.systemctl('restart', 'app.service');
    expect((await ask({ port })).servedBy).toBe(await systemd.mainPid('app.service'));
    expect(await systemd.show('app.service')).toMatchObject({ NFileDescriptorStore: '2' });
  });

  test('starts a service when somebody connects to its socket unit, and restarts it: nobody is refused', async (context) => {
    await using scene = new Scene();
    const fixture = new ServiceFixture(scene.folder);
    const systemd = await Systemd.start(context, scene, {
      'app-socket.service': fixture.unit('app-socket.service', { LISTENERS: '[{"name":"web"}]' }),
      'app-socket.socket': documentedUnit('app-socket.socket', { ListenStream: '%t/web.sock' }),
    });
    await systemd.systemctl('start', 'app-socket.socket');
    expect(await systemd.show('app-socket.service')).toMatchObject({ ActiveState: 'inactive', MainPID: '0' });
    const socketPath = systemd.path('web.sock');
    const { servedBy } = await ask({ socketPath });
    let former = await systemd.mainAfter('app-socket.service', 0);
    expect(servedBy).toBe(former);

    const load = new StrictLoad(socketPath);
    await load.servedBy(former);
    await systemd.systemctl('restart', 'app-socket.service');
    const restarted = await systemd.mainAfter('app-socket.service', former);
    await load.servedBy(restarted);
    former = restarted;
    await systemd.systemctl('reload', 'app-socket.service');
    const reloaded = await systemd.mainAfter('app-socket.service', former);
    await load.servedBy(reloaded);
    const requests = await load.end();
    console.log(JSON.stringify({ restarts: 1, reloads: 1, requests }));
    expect(await systemd.show('app-socket.service')).toMatchObject({ NRestarts: '0', ActiveState: 'active' });
  });

  test('ends a process whose event loop hangs, by the watchdog, and starts it again', async (context) => {
    await using scene = new Scene();
    // Long enough for a busy machine: a process that is not hung has to wake up once in two seconds.
    const { systemd, port, first } = await started(context, scene, { WatchdogSec: '4' });
    // Its signs come from the successor as well.
    await systemd.systemctl('reload', 'app.service');
    const second = await systemd.mainAfter('app.service', first);
    const hanging = ask({ port }, '/admin/hang').catch((error: Error) => error);
    const third = await systemd.mainAfter('app.service', second);
    expect(await hanging).toBeInstanceOf(Error);
    expect((await ask({ port })).servedBy).toBe(third);
    expect(await systemd.show('app.service')).toMatchObject({ NRestarts: '1' });
  });
});
