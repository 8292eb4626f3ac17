import { Project, tryOut } from '../support/documented-program.ts';
import type { Block } from '../support/page.ts';
import { Scene } from '../support/scene.ts';
import { runFailure } from './failure.ts';
import { runService } from './service.ts';
import type { Treatment } from './treatments.ts';

/** Runs a block as the program, or the part of one, that it is. */
export async function runProgram(block: Block, treatment: Treatment = { is: 'program' }): Promise<string> {
  switch (treatment.is) {
    case 'program': {
      const { before = '', after = '', alternatives = false } = treatment;
      const texts = alternatives ? block.text.trimEnd().split('\n') : [block.text];
      await Promise.all(texts.map((text) => runOne(block, `${before}${text}\n${after}`, treatment)));
      return 'programs run';
    }
    case 'service':
      return runService(block, treatment);
    case 'failure':
      return runFailure(block);
    case 'left':
      return `left (${treatment.because})`;
    default:
      throw new Error(`a block of ${block.language} is no ${treatment.is}`);
  }
}

async function runOne(block: Block, text: string, trial: Extract<Treatment, { is: 'program' }>): Promise<void> {
  await using scene = new Scene();
  const project = new Project(scene);
  const program = project.run(block.language, text);
  await tryOut(project, program, trial);
}
