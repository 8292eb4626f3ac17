import { fileURLToPath } from 'node:url';
import { Program } from './program.ts';
import { Scene } from './scene.ts';

const storyProgram = fileURLToPath(new URL('../e2e/programs/story-server.js', import.meta.url));

/** The server of a story as somebody would type it. */
export const storyCommand = `'${process.execPath}' '${storyProgram}'`;

/** What the server of a story is told. */
export interface StoryOptions {
  /** A preset's name, or a map of signals. */
  readonly signals?: string | { readonly [signal: string]: string };
  /** Signals that run a function of the application. */
  readonly functions?: readonly NodeJS.Signals[];
  /** Signals with hooks before and after them. */
  readonly hooks?: readonly NodeJS.Signals[];
  readonly listeners?: readonly { readonly [option: string]: unknown }[];
  readonly options?: { readonly [option: string]: unknown };
  readonly env?: NodeJS.ProcessEnv;
}

/** The environment that makes the server of a story behave like that. */
export function storyEnvironment(options: StoryOptions): NodeJS.ProcessEnv {
  return {
    SIGNALS: JSON.stringify(options.signals ?? 'default'),
    FUNCTIONS: (options.functions ?? []).join(' '),
    HOOKS: (options.hooks ?? []).join(' '),
    LISTENERS: JSON.stringify(options.listeners ?? [{ port: 0 }]),
    OPTIONS: JSON.stringify(options.options ?? {}),
    ...options.env,
  };
}

/** Where a story plays. */
export class Story extends Scene {
  /**
   * Starts the server of the story.
   *
   * @param wrapper a command that starts it, if it is not to be started directly
   */
  start(options: StoryOptions = {}, wrapper: readonly string[] = []): Program {
    const [file = process.execPath, ...rest] = [...wrapper, process.execPath];
    const args = wrapper.length === 0 ? [] : rest;
    return this.add(new Program(file, [...args, storyProgram], storyEnvironment(options)));
  }
}
