import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { marked, type Token } from 'marked';
import { root } from './packed.ts';

/** A block of code in a page. */
export interface Block {
  /** The page, relative to the project. */
  readonly page: string;
  /** Where its fence stands. */
  readonly line: number;
  /** The first word behind the fence; empty where there is none. */
  readonly language: string;
  readonly text: string;
  /** `page#heading`, and `page#heading:2` for the second one under that heading. */
  readonly key: string;
}

/** A page of the documentation, taken apart. */
export interface Page {
  readonly name: string;
  readonly text: string;
  readonly blocks: readonly Block[];
  /** As links name them. */
  readonly anchors: ReadonlySet<string>;
  /** Where its links lead. */
  readonly links: readonly string[];
}

/** README.md and everything under docs/ that is written by hand. */
export function readPages(): Page[] {
  const below = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md') && !name.startsWith('api/'))
    .map((name) => join('docs', name));
  return ['README.md', ...below.sort()].map(readPage);
}

export function readPage(name: string): Page {
  const text = readFileSync(join(root, name), 'utf8');
  const blocks: Block[] = [];
  const anchors = new Set<string>();
  const links: string[] = [];
  let heading = '';
  let offset = 0;
  const counts = new Map<string, number>();
  const look = (token: Token) => {
    if (token.type === 'heading') {
      heading = anchorOf(token.text);
      for (let number = 1; anchors.has(heading); number++) heading = `${anchorOf(token.text)}-${number}`;
      anchors.add(heading);
    }
    if (token.type === 'link') links.push(token.href);
    if (token.type !== 'code') return;
    offset = text.indexOf(token.raw, offset);
    const number = (counts.get(heading) ?? 0) + 1;
    counts.set(heading, number);
    blocks.push({
      page: name,
      line: text.slice(0, offset).split('\n').length,
      language: token.lang?.split(' ')[0] ?? '',
      text: `${token.text}\n`,
      key: `${name}#${heading}${number === 1 ? '' : `:${number}`}`,
    });
  };
  marked.walkTokens(marked.lexer(text), look);
  return { name, text, blocks, anchors, links };
}

/** The anchor of a heading, as GitHub makes it. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{Letter}\p{Number}\s_-]/gu, '')
    .replaceAll(' ', '-');
}
