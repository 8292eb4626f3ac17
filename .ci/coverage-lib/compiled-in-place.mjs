const lib = new URL('../../lib/', import.meta.url).href;
const dist = new URL('../../dist/', import.meta.url).href;

/** A hook of Node's module loader: what is imported of lib/ comes from dist/. */
export async function resolve(specifier, context, next) {
  const resolved = await next(specifier, context);
  const [url] = resolved.url.split('?');
  if (!url.startsWith(lib)) return resolved;
  return { url: url.replace(lib, dist).replace(/\.ts$/, '.js'), format: 'module', shortCircuit: true };
}
