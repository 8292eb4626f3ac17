import { validate } from 'dockerfile-utils';
import type { Block } from '../support/page.ts';

/** Has the parser of Docker's own editor extension look for what is wrong. */
export function checkDockerfile({ text }: Block): string {
  const complaints = validate(text).map(({ message, range }) => `line ${range.start.line + 1}: ${message}`);
  if (complaints.length > 0) throw new Error(complaints.join('\n'));
  return 'Dockerfiles checked';
}
