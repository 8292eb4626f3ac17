import { type Stats, statSync } from 'node:fs';
import { basename, extname, relative, resolve, sep } from 'node:path';
import { type FSWatcher, watch } from 'chokidar';
import wildcardMatch from 'wildcard-match';

/** What a program is commonly made of, and read anew when it starts. */
export const usualExtensions: readonly string[] = ['js', 'mjs', 'cjs', 'jsx', 'json', 'ts', 'mts', 'cts', 'tsx'];

export interface SourceWatcherOptions {
  /** Where paths and patterns start. */
  readonly folder: string;
  /** Files and folders, relative to that. */
  readonly paths: readonly string[];
  /** Files in them that count whatever they are called, as those among the paths do. */
  readonly files: readonly string[];
  /** Without dots. */
  readonly extensions: readonly string[];
  /** Patterns of paths that do not count; one without a slash is a name, wherever it is. */
  readonly ignored: readonly string[];
  /** How long nothing more may have changed before a change is told, in milliseconds. */
  readonly delay: number;
  /** Is given the files that have changed, relative to the folder. */
  readonly onChange: (files: string[]) => void;
  readonly onError: (error: Error) => void;
}

/**
 * Tells when files have changed: once for many of them, as a checkout or a compiler changes them. `node_modules` and
 * everything whose name begins with a dot is left out, unless a path that is to be watched leads into it.
 */
export class SourceWatcher implements AsyncDisposable {
  readonly #options: SourceWatcherOptions;
  readonly #watcher: FSWatcher;
  /** The paths that are watched, the longest first. */
  readonly #roots: readonly string[];
  readonly #files: ReadonlySet<string>;
  readonly #extensions: ReadonlySet<string>;
  readonly #isUnwanted: (path: string) => boolean;
  readonly #changed = new Set<string>();
  #timer: NodeJS.Timeout | null = null;

  private constructor(options: SourceWatcherOptions) {
    const { folder, paths, files, extensions, ignored } = options;
    this.#options = options;
    const roots = paths.map((path) => resolve(folder, path));
    this.#roots = [...roots].sort((one, other) => other.length - one.length);
    const named = roots.filter((root) => statSync(root).isFile());
    this.#files = new Set([...named, ...files.map((file) => resolve(folder, file))]);
    this.#extensions = new Set(extensions.map((extension) => `.${extension}`));
    this.#isUnwanted = matcher(ignored);
    this.#watcher = watch(roots, {
      ignored: (path, stats) => this.#isIgnored(resolve(path), stats),
      ignoreInitial: true,
    });
    this.#watcher.on('error', (error) => options.onError(error as Error));
    for (const event of ['add', 'change', 'unlink'] as const) {
      this.#watcher.on(event, (path) => this.#noteChange(resolve(path)));
    }
  }

  /**
   * Resolves when every change from now on will be told.
   *
   * @throws ENOENT for a path that is not there
   */
  static async start(options: SourceWatcherOptions): Promise<SourceWatcher> {
    const watcher = new SourceWatcher(options);
    await new Promise<void>((resolve) => watcher.#watcher.once('ready', resolve));
    return watcher;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#watcher.close();
  }

  #isIgnored(path: string, stats: Stats | undefined): boolean {
    if (this.#files.has(path)) return false;
    const root = this.#roots.find((candidate) => path === candidate || path.startsWith(candidate + sep));
    const inside = root === undefined || path === root ? '' : relative(root, path);
    if (inside.split(sep).some((part) => part.startsWith('.') || part === 'node_modules')) return true;
    if (inside !== '' && this.#isUnwanted(relative(this.#options.folder, path))) return true;
    // The programs' own: each one that starts makes its control socket, and would be started anew for that.
    if (stats?.isSocket() === true || stats?.isFIFO() === true) return true;
    // A folder's name says nothing about what is in it; without its status it may be one.
    return stats?.isFile() === true && !this.#extensions.has(extname(path));
  }

  #noteChange(path: string): void {
    this.#changed.add(relative(this.#options.folder, path));
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const files = [...this.#changed];
      this.#changed.clear();
      this.#timer = null;
      this.#options.onChange(files);
    }, this.#options.delay);
  }
}

/** As in a .gitignore: a name alone matches at any depth, and a folder means everything in it. */
function matcher(patterns: readonly string[]): (path: string) => boolean {
  const tests = patterns.map((pattern) => {
    const plain = pattern.replace(/^\.\//, '').replace(/\/+$/, '');
    const matches = wildcardMatch(plain, '/');
    return plain.includes('/') ? matches : (path: string) => matches(basename(path));
  });
  return (path) => tests.some((test) => test(path.split(sep).join('/')));
}
