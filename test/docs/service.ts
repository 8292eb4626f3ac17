import { expect } from 'vitest';
import { answers, Project } from '../support/documented-program.ts';
import type { Block } from '../support/page.ts';
import { Program } from '../support/program.ts';
import { Scene } from '../support/scene.ts';
import { ServiceManager } from '../support/service-manager.ts';
import type { Treatment } from './treatments.ts';

/** Runs a block as a service: it is started, reloaded if it can be, and stopped, without a complaint of its manager. */
export async function runService(block: Block, treatment: Extract<Treatment, { is: 'service' }>): Promise<string> {
  const { before = '', after = '', sockets = [], speaks = 'http', reloads = true, beside } = treatment;
  await using scene = new Scene();
  const project = new Project(scene);
  if (beside !== undefined) {
    const file = project.write('beside.js', beside);
    await scene.add(new Program(process.execPath, [file], {}, scene.folder)).event('listening');
  }
  const manager = scene.add(
    new ServiceManager({
      notify: `${scene.folder}/notify`,
      command: [process.execPath, ...project.arguments(project.write('server.js', `${before}${block.text}${after}`))],
      sockets: sockets.map((name) => ({ name })),
      store: 8,
      tells_store: true,
    }),
  );
  let read = await manager.notified({ READY: '1' });
  if (reloads) {
    await answers(scene.folder, manager, (await manager.ready(0)).pid, { speaks });
    manager.reload();
    const next = await manager.ready(1);
    read = await manager.notified({ READY: '1', MAINPID: String(next.pid) }, read);
    await answers(scene.folder, manager, next.pid, { speaks });
  }
  manager.stop();
  await manager.exited;
  expect(manager.complaints).toEqual([]);
  return 'services managed';
}
