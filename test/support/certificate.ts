import { generateKeyPairSync, sign } from 'node:crypto';

/** A self-signed certificate for `localhost`, made for one test run, and its key. */
export interface Certificate {
  readonly key: string;
  readonly cert: string;
}

/** Writes an X.509 certificate by hand: Node can read them and make keys, but not make a certificate. */
export function makeCertificate(): Certificate {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const algorithm = sequence(objectIdentifier(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02));
  const commonName = sequence(objectIdentifier(0x55, 0x04, 0x03), element(0x0c, Buffer.from('localhost')));
  const name = sequence(element(0x31, commonName));
  const validity = sequence(element(0x17, Buffer.from('200101000000Z')), element(0x17, Buffer.from('490101000000Z')));
  const body = sequence(
    element(0x02, Buffer.from([1])),
    algorithm,
    name,
    validity,
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
  );
  const signature = element(0x03, Buffer.concat([Buffer.from([0]), sign('sha256', body, privateKey)]));
  const base64 = sequence(body, algorithm, signature).toString('base64');
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    cert: `-----BEGIN CERTIFICATE-----\n${base64.replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`,
  };
}

function element(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

function sequence(...parts: Buffer[]): Buffer {
  return element(0x30, Buffer.concat(parts));
}

function objectIdentifier(...bytes: number[]): Buffer {
  return element(0x06, Buffer.from(bytes));
}
