// Vitest ends the processes of its tests by a signal, at which V8's counts are not written.
import { takeCoverage } from 'node:v8';
import { afterAll } from 'vitest';

afterAll(takeCoverage);
