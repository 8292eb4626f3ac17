import { decide } from '../../lib/lifecycle/decision/decide.ts';
import type { LifeEvent } from '../../lib/lifecycle/decision/event.ts';
import { type Before, hasHeir, type State } from '../../lib/lifecycle/decision/state.ts';
import type { Step } from '../../lib/lifecycle/decision/step.ts';
import { answers, wants } from './life-world.ts';

type Company = { readonly before: Before; readonly heir: boolean };

/** A state as the table has it: what differs by company is in the rows. */
interface Shape {
  readonly title: string;
  readonly states: readonly State[];
}

const early: readonly Before[] = ['nobody', 'predecessor', 'owner', 'sharers'];
const late: readonly Before[] = ['nobody', 'draining', 'owner', 'sharers'];
const anyCompany: readonly Company[] = late.flatMap((before) => [false, true].map((heir) => ({ before, heir })));
const alone: readonly Company[] = (['nobody', 'draining', 'sharers'] as const).map((before) => ({
  before,
  heir: false,
}));

const each = (companies: readonly Company[], of: (company: Company) => State) => companies.map(of);

const shapes: readonly Shape[] = [
  {
    title: 'starting',
    states: [
      ...early.map((before): State => ({ is: 'starting', before, rehearsal: false })),
      { is: 'starting', before: 'nobody', rehearsal: true },
    ],
  },
  { title: 'taking-over', states: early.map((before) => ({ is: 'taking-over', before, rehearsal: false })) },
  { title: 'serving', states: each(anyCompany, (company) => ({ is: 'serving', ...company })) },
  { title: 'paused', states: each(anyCompany, (company) => ({ is: 'paused', next: 'stay', ...company })) },
  {
    title: 'paused, about to resume',
    states: each(anyCompany, (company) => ({ is: 'paused', next: 'resume', ...company })),
  },
  { title: 'announcing', states: each(anyCompany, (company) => ({ is: 'announcing', ...company })) },
  {
    title: 'offering, from serving',
    states: each(anyCompany, (company) => ({ is: 'offering', from: 'serving', afterwards: 'nothing', ...company })),
  },
  {
    title: 'offering, from paused',
    states: each(anyCompany, (company) => ({ is: 'offering', from: 'paused', afterwards: 'nothing', ...company })),
  },
  {
    title: 'offering, from announcing',
    states: each(anyCompany, (company) => ({ is: 'offering', from: 'announcing', afterwards: 'nothing', ...company })),
  },
  {
    title: 'draining',
    states: each(anyCompany, (company) => ({ is: 'draining', step: 'finishing', told: false, ...company })),
  },
  {
    title: 'draining, told to stop',
    states: each(anyCompany, (company) => ({ is: 'draining', step: 'finishing', told: true, ...company })),
  },
  {
    title: 'draining, taking back',
    states: each(anyCompany, (company) => ({ is: 'draining', step: 'taking-back', told: false, ...company })),
  },
  { title: 'rehearsing', states: each(alone, (company) => ({ is: 'rehearsing', ...company })) },
  ...(['preparing', 'finishing', 'taking-back'] as const).map((step) => ({
    title: `draining-in-place, ${step}`,
    states: each(alone, (company): State => ({ is: 'draining-in-place', step, ...company })),
  })),
  {
    title: 'shutting-down',
    states: each([...anyCompany, { before: 'predecessor', heir: false }], (company) => ({
      is: 'shutting-down',
      why: 'shutdown',
      told: true,
      ...company,
    })),
  },
  {
    title: 'left',
    states: each(anyCompany, (company) => ({ is: 'left', toAnother: true, told: true, ...company })),
  },
];

function eventName({ is, ...rest }: LifeEvent): string {
  const details = Object.values(rest).filter((value) => typeof value === 'string');
  return details.length === 0 ? is : `${is}: ${details.join(', ')}`;
}

/** What a state is beside its name and its company. */
function detailsOf(state: State): string {
  const { is, before: _, ...rest } = state;
  const details = Object.entries(rest).flatMap(([name, value]) => {
    if (name === 'heir' || name === 'rehearsal' || value === 'nothing') return [];
    if (typeof value === 'boolean') return value ? [name] : [];
    return [name === 'from' ? `from ${value}` : String(value)];
  });
  return details.length === 0 ? `\`${is}\`` : `\`${is}\` (${details.join(', ')})`;
}

function changeOf(from: State, to: State): string {
  const company = [
    from.before === to.before ? [] : [`before it: ${to.before}`],
    hasHeir(from) === hasHeir(to) ? [] : [hasHeir(to) ? 'an heir' : 'no heir'],
  ].flat();
  const same = detailsOf(from) === detailsOf(to);
  return [same && company.length === 0 ? 'as it is' : detailsOf(to), ...company].join('; ');
}

function outcome(from: State, step: Step): string {
  switch (step.is) {
    case 'refused':
      return `refused: ${step.why} |`;
    case 'impossible':
      return `cannot happen: ${step.because} |`;
    case 'taken':
    case 'overtaken': {
      const orders = step.orders.map((order) => `\`${order}\``).join(', ');
      return `${changeOf(from, step.state)}${step.is === 'overtaken' ? ' (overtaken)' : ''} | ${orders}`;
    }
  }
}

function companyOf(state: State): string {
  if (state.is === 'starting' && state.rehearsal) return 'a rehearsal';
  return `${state.before}${hasHeir(state) ? ' + heir' : ''}`;
}

function section({ title, states }: Shape): string {
  const rows: string[] = [];
  const impossible = new Map<string, string[]>();
  for (const event of [...wants, ...answers]) {
    const outcomes = new Map<string, string[]>();
    for (const state of states) {
      const what = outcome(state, decide(state, event));
      outcomes.set(what, [...(outcomes.get(what) ?? []), companyOf(state)]);
    }
    for (const [what, companies] of outcomes) {
      if (what.startsWith('cannot') && outcomes.size === 1) {
        const because = what.slice('cannot happen: '.length, -' |'.length);
        impossible.set(because, [...(impossible.get(because) ?? []), `\`${eventName(event)}\``]);
        continue;
      }
      const where = outcomes.size === 1 ? '' : companies.join(', ');
      rows.push(`| \`${eventName(event)}\` | ${where} | ${what} |`);
    }
  }
  const never = [...impossible].map(([because, events]) => `- ${events.join(', ')}: ${because}.`);
  return [
    `## ${title}`,
    '',
    '| event | where | what it is then | orders |',
    '| --- | --- | --- | --- |',
    ...rows,
    ...(never.length === 0 ? [] : ['', 'Cannot happen:', '', ...never]),
    '',
  ].join('\n');
}

/** How many cells the table has: a state with its company, and an event. */
export const cells = shapes.reduce((sum, { states }) => sum + states.length, 0) * (wants.length + answers.length);

/** docs/states.md, made of the machine. */
export function stateTable(): string {
  const intro = `# States and events

What a process is, and what follows on what happens to it: \`decide()\` of \`lib/lifecycle/decision/\`, printed. A test compares
this page with it; \`npx vitest run test/lib/lifecycle/decision/decide.test.ts -u\` writes it anew. How the phases follow on one
another is drawn in [protocol.md](protocol.md).

"Where" says for which company a row is: who is before the process (\`predecessor\`: it serves, and is to be replaced;
\`draining\`: it is replaced, and finishes; \`owner\`: it serves on beside this one, which inherits its role; \`sharers\`: others
serve as well), and whether an heir stands beside it. An empty field: for every one. "Overtaken": something else came first,
and the activity that has come so far gives up. "Refused": whoever wants it is told why, and nothing changes.
`;
  return [intro, ...shapes.map(section)].join('\n');
}
