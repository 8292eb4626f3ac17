#!/usr/bin/env node
import { flushOutput, leave, protectStandardStreams } from '../app/command-parts.ts';
import { Call } from './call/call.ts';
import { completionRequest, printCompletions } from './completion/completion.ts';
import { createProgram, run } from './program.ts';

// A terminal that was closed, say: what is to be done then must not fail because nobody can be told.
protectStandardStreams();

const call = new Call();
process.stdout.on('error', (error: NodeJS.ErrnoException) => call.loseOutput(error));
const args = process.argv.slice(2);
// Before the arguments are read as a command line: they are a part of one that somebody is still typing.
if (args[0] === completionRequest) printCompletions(createProgram(call), args.slice(1), call);
else await run(args, call);
// What cannot be written has a say in the exit code.
await flushOutput();
await leave(call.exitCode);
