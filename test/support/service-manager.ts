import { fileURLToPath } from 'node:url';
import { Program, serverProgram, type Told } from './program.ts';

const script = fileURLToPath(new URL('../peers/service_manager.py', import.meta.url));

export interface ServiceManagerOptions {
  /** Where the service sends what it has to say: a path, or `@name`. */
  readonly notify: string;
  /** By default the end-to-end server. */
  readonly command?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** What a socket unit would hold. */
  readonly sockets?: readonly {
    readonly name: string;
    readonly host?: string;
    readonly path?: string;
    readonly datagram?: boolean;
  }[];
  /** `NotifyAccess=`; `main` by default. */
  readonly access?: 'main' | 'all';
  /** `FileDescriptorStoreMax=`; 0 by default. */
  readonly store?: number;
  /** Whether it says that there is a store, as systemd does since 254. */
  readonly tells_store?: boolean;
  readonly restart?: 'always' | 'no';
  /** `WatchdogSec=`, in microseconds. */
  readonly watchdog?: number;
}

/** A service manager like systemd, with one service; what the service's processes tell is read as well. */
export class ServiceManager extends Program {
  constructor(options: ServiceManagerOptions) {
    const command = [process.execPath, '--expose-gc', serverProgram];
    super('python3', [script, JSON.stringify({ command, ...options })], {});
  }

  /** `systemctl reload` */
  reload(): void {
    this.signal('SIGUSR1');
  }

  /** `systemctl stop` */
  stop(): void {
    this.signal('SIGTERM');
  }

  /** What it keeps for the service, by name. */
  async kept(): Promise<string[]> {
    const before = this.told.filter(({ event }) => event === 'kept').length;
    this.signal('SIGUSR2');
    const told = await this.event(
      'kept',
      (each) => this.told.filter(({ event }) => event === 'kept').indexOf(each) >= before,
    );
    return told.names as string[];
  }

  /** A message with these assignments; the first, or the one after `after`. */
  notified(tags: Readonly<Record<string, string>>, after?: Told): Promise<Told> {
    const from = after === undefined ? 0 : this.told.indexOf(after) + 1;
    return this.event('notify', (told) => {
      const said = told.tags as Readonly<Record<string, string>>;
      const matches = Object.entries(tags).every(([name, value]) => said[name] === value);
      return matches && this.told.indexOf(told) >= from;
    });
  }

  /** What the service has done that a manager does not accept. */
  get complaints(): Told[] {
    return this.told.filter(({ event }) => event === 'violation' || event === 'rejected');
  }

  /** What was told, as one word each; without what a watchdog and long waits say again and again. */
  get story(): string[] {
    return this.told.filter(({ event }) => event === 'notify' || event === 'barrier').map(wordFor);
  }
}

function wordFor({ event, tags }: Told): string {
  if (event === 'barrier') return 'BARRIER';
  const said = tags as Readonly<Record<string, string>>;
  const names = ['MAINPID', 'READY', 'RELOADING', 'STOPPING', 'FDSTORE', 'FDSTOREREMOVE'];
  return names.filter((name) => name in said).join('+') || Object.keys(said).join('+');
}
