import { afterAll } from 'vitest';
import { DescriptorCheck } from './open-descriptors.ts';

// Before a test file is loaded: whatever it and its tests open has to be closed when the last of them is over. Hooks that
// were registered first run last (vitest's `sequence.hooks`), so this one sees what the file's own have left.
const check = process.platform === 'linux' ? new DescriptorCheck() : undefined;

afterAll(() => check?.[Symbol.asyncDispose]());
