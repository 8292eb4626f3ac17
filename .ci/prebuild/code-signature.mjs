// The ad-hoc signature of a Mach-O file: a hash of every page, without which an arm64 Mac kills the process that loads
// the file. The linker writes it, and whatever changes the file afterwards breaks it. The layout is that of Apple's
// cs_blobs.h (xnu), big-endian.
import { createHash } from 'node:crypto';

const embeddedSignature = 0xfade0cc0;
const codeDirectory = 0xfade0c02;
const adHoc = 0x2;
const sha256 = 2;

/** What is wrong with the signature at `offset` in `file`; empty if it holds. */
export function signatureProblems(file, offset) {
  const blob = file.subarray(offset);
  if (blob.readUInt32BE(0) !== embeddedSignature) return ['its code signature is no embedded signature'];
  const directory = blob.subarray(blob.readUInt32BE(16));
  if (directory.readUInt32BE(0) !== codeDirectory) return ['its code signature does not begin with a code directory'];
  const problems = [];
  if ((directory.readUInt32BE(12) & adHoc) === 0) problems.push('it is not signed ad hoc');
  const hashes = directory.subarray(directory.readUInt32BE(16));
  const pages = directory.readUInt32BE(28);
  const limit = directory.readUInt32BE(32);
  const pageSize = 2 ** directory[39];
  if (directory[37] !== sha256) problems.push('its pages are not hashed by SHA-256');
  if (limit !== offset || pages !== Math.ceil(limit / pageSize))
    problems.push('its signature covers another file size');
  for (let page = 0; page < pages; page++) {
    const bytes = file.subarray(page * pageSize, Math.min((page + 1) * pageSize, limit));
    const expected = hashes.subarray(page * 32, (page + 1) * 32);
    if (!createHash('sha256').update(bytes).digest().equals(expected))
      problems.push(`page ${page} is not what was signed`);
  }
  return problems;
}
