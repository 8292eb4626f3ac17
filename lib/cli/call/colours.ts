import { styleText } from 'node:util';

/** As much of an output as the question for colours needs. */
export interface Output {
  readonly isTTY?: boolean;
  hasColors?(environment: object): boolean;
  write(text: string): unknown;
}

export type Colour = 'bold' | 'dim' | 'green' | 'red' | 'yellow';

/** Colours a text, or leaves it as it is. */
export type Paint = (colour: Colour, text: string) => string;

/** Whether there are colours was decided here: by itself styleText asks this process's own standard output. */
const styleAlways = { validateStream: false };

/**
 * How texts for `output` are coloured: on a terminal that has colours, unless `NO_COLOR` is set; everywhere with
 * `FORCE_COLOR`, which wins over the other as it does in Node itself, and is `0` or `false` where it is to mean the
 * opposite. An empty variable counts as none (no-color.org).
 */
export function paintFor(output: Output, environment: NodeJS.ProcessEnv): Paint {
  if (!hasColours(output, environment)) return (_colour, text) => text;
  return (colour, text) => (text === '' ? '' : styleText(colour, text, styleAlways));
}

export function hasColours(output: Output, environment: NodeJS.ProcessEnv): boolean {
  const { FORCE_COLOR = '', NO_COLOR = '', ...others } = environment;
  if (FORCE_COLOR !== '') return FORCE_COLOR !== '0' && FORCE_COLOR !== 'false';
  // Without the two: Node 22 takes an empty NO_COLOR for one that is set.
  return NO_COLOR === '' && output.isTTY === true && output.hasColors?.(others) === true;
}
