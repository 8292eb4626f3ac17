import type { Block } from '../support/page.ts';

/** The lines of a state diagram, as far as the pages use them. That its transitions are the code's is test/lib/lifecycle/phase.test.ts. */
const forms = [/^\s*(\[\*\]|\w+) --> (\[\*\]|\w+)(: \S.*)?$/, /^\s*state "[^"]+" as \w+ \{$/, /^\s*\}$/];

/** The lines of a flow chart. */
const flowForms = [
  /^\s*\w+(\["[^"]+"\])?( (-->|-\.->)(\|"[^"]+"\|)? \w+(\["[^"]+"\])?)*$/,
  /^\s*subgraph \w+(\["[^"]+"\])?$/,
  /^\s*end$/,
];

/** Mermaid's own parser wants a browser, and 70 MB; this one knows the lines that we write, and no others. */
export function checkDiagram({ text }: Block): string {
  const [first = '', ...lines] = text.trimEnd().split('\n');
  const known = first === 'stateDiagram-v2' ? forms : /^flowchart (TD|LR)$/.test(first) ? flowForms : [];
  const unknown = lines.filter((line) => !known.some((form) => form.test(line)));
  if (unknown.length > 0) throw new Error(`not a line of a ${first}: ${unknown.join('; ')}`);
  return 'diagrams read';
}
