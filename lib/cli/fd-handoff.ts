#!/usr/bin/env node
import { leave } from '../command-parts.ts';
import { Call } from './call.ts';
import { completionRequest, printCompletions } from './completion.ts';
import { createProgram, run } from './program.ts';

// Whoever read the output has gone, as head(1) does: nobody is left to be told anything.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

// A terminal that was closed, say: what is to be done then must not fail because nobody can be told.
process.stderr.on('error', () => {});

const call = new Call();
const args = process.argv.slice(2);
// Before the arguments are read as a command line: they are a part of one that somebody is still typing.
if (args[0] === completionRequest) printCompletions(createProgram(call), args.slice(1), call);
else await run(args, call);
await leave(call.exitCode);
