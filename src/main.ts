/** Where the program begins, and the only file that touches the process. Without arguments it serves the gateway. */
import type { Host } from './cli/host.ts';
import { runProgram } from './cli/program.ts';

const host: Host = {
  environment: process.env,
  printLine: (line) => void process.stdout.write(`${line}\n`),
  printErrorLine: (line) => void process.stderr.write(`${line}\n`),
  onStop(listener) {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, listener);
  },
  onReload: (listener) => void process.on('SIGHUP', listener),
};

const given = process.argv.slice(2);
// Ended by force: whatever still ticks has nothing left to do, and must not keep a stopped gateway in the process list.
process.exit(await runProgram(given.length === 0 ? ['serve'] : given, host));
