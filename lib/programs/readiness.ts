/** Where a program is asked whether it serves. */
export type Asked =
  /** On the first of its TCP listeners, on which a predecessor may be accepting as well. */
  | { readonly at: 'listener' }
  /** Where nobody but the program listens: a port of its own for such questions. */
  | { readonly at: 'address'; readonly host: string; readonly port: number };

/** By what it is known that a program serves. */
export type Readiness =
  /** It says so: READY=1 to its NOTIFY_SOCKET, or a newline on its ready descriptor. */
  | { readonly by: 'word' }
  /** It accepts a connection. */
  | { readonly by: 'tcp'; readonly asked: Asked }
  /** It answers a request with a status below 400. */
  | { readonly by: 'http'; readonly asked: Asked; readonly path: string }
  /** It still runs after so many milliseconds. */
  | { readonly by: 'time'; readonly milliseconds: number };

const milliseconds: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000 };

const forms: readonly (readonly [RegExp, (...parts: (string | undefined)[]) => Readiness])[] = [
  [
    /^after:(\d+(?:\.\d+)?)(ms|s|m)$/,
    (amount, unit) => ({ by: 'time', milliseconds: Number(amount) * (milliseconds[unit as string] as number) }),
  ],
  [/^tcp$/, () => ({ by: 'tcp', asked: { at: 'listener' } })],
  [
    /^tcp:(?:\[(.+)\]:|([^:[\]]+):)?(\d{1,5})$/,
    (bracketed, host, port) => ({ by: 'tcp', asked: addressOf(bracketed ?? host, port) }),
  ],
  [/^http:(\/(?!\/)\S*)$/, (path) => ({ by: 'http', asked: { at: 'listener' }, path: path as string })],
  [
    /^http:\/\/(?:\[(.+)\]|([^:/[\]]+))(?::(\d{1,5}))?(\/\S*)?$/,
    (bracketed, host, port = '80', path = '/') => ({ by: 'http', asked: addressOf(bracketed ?? host, port), path }),
  ],
];

/**
 * Reads `tcp`, `tcp:[host:]port`, `http:/path`, `http://host:port/path` or `after:2s`.
 *
 * @throws TypeError for anything else
 */
export function parseReadiness(text: string): Readiness {
  for (const [form, read] of forms) {
    const match = form.exec(text);
    if (match !== null) return read(...match.slice(1));
  }
  throw Object.assign(
    new TypeError(
      `"${text}" does not say when a program is ready. These do: tcp, tcp:9000, http:/path, http://127.0.0.1:9000/path, after:2s.`,
    ),
    { code: 'ERR_INVALID_ARG_VALUE' },
  );
}

function addressOf(host = '127.0.0.1', port?: string): Asked {
  return { at: 'address', host, port: Number(port) };
}
