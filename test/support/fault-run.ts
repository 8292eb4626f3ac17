import type { Cell } from './fault-cells.ts';
import { FaultStage, longTimeouts, type Outcome, shortTimeouts, type Timeouts } from './fault-stage.ts';

/** How many stages there are of each sort, at most. Those with something stopped mostly wait, and cost next to nothing. */
const stages = 2;

/**
 * How often a cell is tried whose fault was not reached. Where something is stopped until a deadline, the deadline is
 * short, and a successor that starts slowly on a busy machine meets it before its fault. That it should three times in a
 * row is no chance any more: the cell has failed.
 */
const attempts = 3;

/**
 * Runs the cells, several at the same time, and tells each outcome as it comes. Those in which a process is stopped until
 * a deadline have stages of their own, with short deadlines.
 */
export async function runCells(
  cells: readonly Cell[],
  onOutcome: (outcome: Outcome, cell: Cell) => void,
): Promise<void> {
  const stopping = cells.filter(({ act }) => act.action === 'stop-self');
  const others = cells.filter(({ act }) => act.action !== 'stop-self');
  const work = async (queue: Cell[], timeouts: Timeouts) => {
    if (queue.length === 0) return;
    await using stage = await FaultStage.open(timeouts);
    for (let cell = queue.shift(); cell !== undefined; cell = queue.shift()) {
      let outcome = await stage.run(cell);
      for (let tried = 1; !outcome.reached && tried < attempts; tried++) outcome = await stage.run(cell);
      onOutcome(outcome, cell);
    }
  };
  await Promise.all(
    Array.from({ length: stages }, () => [work(others, longTimeouts), work(stopping, shortTimeouts)]).flat(),
  );
}
