/**
 * Handoffs with a random fault in each, under strict load, and a table of what became of them.
 *
 * ```sh
 * node --import tsx bench/fault-soak.ts --handoffs 500 --seed 7
 * ```
 *
 * Exit code 1 if anything was not as it has to be.
 */
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { type Cell, type Fault, faults, matrix } from '../test/support/fault-cells.ts';
import { runCells } from '../test/support/fault-run.ts';
import type { Outcome } from '../test/support/fault-stage.ts';

const { values } = parseArgs({
  options: {
    handoffs: { type: 'string', default: '500' },
    /** The same seed gives the same faults in the same order. */
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
});

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Row {
  times: number;
  passed: number;
  requests: number;
  refused: number;
  refusedInherently: number;
  reset: number;
  failed: number;
  readonly owners: Record<Outcome['owner'], number>;
}

function newRow(): Row {
  return {
    times: 0,
    passed: 0,
    requests: 0,
    refused: 0,
    refusedInherently: 0,
    reset: 0,
    failed: 0,
    owners: { predecessor: 0, successor: 0, nobody: 0 },
  };
}

function add(row: Row, { problems, requests, refused, reset, otherwiseFailed, owner, mayRefuse }: Outcome): void {
  row.times++;
  if (problems.length === 0) row.passed++;
  row.requests += requests;
  if (mayRefuse) row.refusedInherently += refused;
  else row.refused += refused;
  row.reset += reset;
  row.failed += otherwiseFailed;
  row.owners[owner]++;
}

function cellsOf(row: Row): string[] {
  const { predecessor, successor, nobody } = row.owners;
  const counts = [row.times, row.passed, row.requests, row.refused, row.refusedInherently, row.reset, row.failed];
  return [...counts.map(String), `${predecessor} / ${successor} / ${nobody}`];
}

const handoffs = Number(values.handoffs);
const seed = Number(values.seed);
if (!Number.isSafeInteger(handoffs) || handoffs < 1 || !Number.isSafeInteger(seed)) {
  console.error('--handoffs needs a whole number above 0, and --seed a whole number');
  process.exit(2);
}
process.once('SIGINT', () => process.exit(130));
process.once('SIGTERM', () => process.exit(143));
console.log(`${handoffs} handoffs, seed ${seed}`);

const random = randomNumbers(seed);
const { cells } = matrix();
const chosen = Array.from({ length: handoffs }, () => cells[Math.floor(random() * cells.length)] as Cell);
const rows = new Map<Fault, Row>(faults.map((fault) => [fault, newRow()]));
const total = newRow();
let slowestGiveBack = 0;
const begun = performance.now();
await runCells(chosen, (outcome, { fault }) => {
  add(rows.get(fault) as Row, outcome);
  add(total, outcome);
  slowestGiveBack = Math.max(slowestGiveBack, outcome.giveBack ?? 0);
  if (outcome.problems.length > 0) console.log(`FAILED: ${outcome.title}\n  ${outcome.problems.join('\n  ')}`);
  if (total.times % 50 === 0) console.log(`${total.times} of ${handoffs}, ${total.passed} passed`);
});

const table = new Table({
  head: [
    'fault',
    'times',
    'passed',
    'requests',
    'refused',
    'only holder\nkilled:\nrefused',
    'reset in\nflight',
    'failed\notherwise',
    'owner after:\npredecessor /\nsuccessor /\nthe next start',
  ],
  style: { head: [], border: [] },
});
for (const [fault, row] of rows) table.push([fault, ...cellsOf(row)]);
table.push(['all', ...cellsOf(total)]);
console.log(table.toString());
console.log(
  `${2 * total.times} further handoffs in good order between them; ${Math.round((performance.now() - begun) / 1000)} s; ` +
    `serving again took ${slowestGiveBack} ms at most`,
);
process.exitCode = total.passed === handoffs && total.refused === 0 ? 0 : 1;
