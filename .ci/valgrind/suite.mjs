// Files of the low-level suite in one process: under valgrind Node needs seconds to start, and then again for each file.
import { pathToFileURL } from 'node:url';

for (const file of process.argv.slice(2)) await import(pathToFileURL(file).href);
