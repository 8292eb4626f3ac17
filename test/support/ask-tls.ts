import https from 'node:https';

/** One request over TLS to a server with a self-signed certificate, on a connection of its own. */
export function askTls(port: number, path = '/'): Promise<{ status: number; servedBy: number }> {
  return new Promise((resolve, reject) => {
    https
      .get({ host: '127.0.0.1', port, path, agent: false, rejectUnauthorized: false }, (response) => {
        response.on('error', reject);
        response
          .resume()
          .on('end', () =>
            resolve({ status: response.statusCode ?? 0, servedBy: Number(response.headers['x-served-by']) }),
          );
      })
      .on('error', reject);
  });
}
