import type { Control } from '../../channel/control.ts';
import { type Frame, readInteger } from '../../channel/frame.ts';
import type { DrainingGeneration, HasteOrder } from './draining-generation.ts';

/** What a process that drains answers to those after it. */
export interface DrainAnswers {
  /** Itself, and those before it. */
  readonly generations: () => Promise<DrainingGeneration[]>;
  readonly hasten: (order: HasteOrder) => void;
}

/** Answers on this connection from now on. */
export function answerInquiries(control: Control, { generations, hasten }: DrainAnswers): void {
  control.on('INQUIRE', (frame) => {
    const id = readInteger(frame, 'id');
    void generations().then((all) => control.send('GENERATIONS', { id, generations: all }));
  });
  control.on('HASTEN', (frame) => hasten(readOrder(frame)));
}

function readOrder(frame: Frame): HasteOrder {
  return { pid: frame.payload.pid == null ? null : readInteger(frame, 'pid'), timeout: readInteger(frame, 'timeout') };
}
