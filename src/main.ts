/** The program, and the only file but its entry that touches the process. Without arguments it serves the gateway. */
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import type { Host } from './cli/host.ts';

/** How often the event loop is looked at: fifty times a second cost nothing that can be measured. */
const EVENT_LOOP_RESOLUTION_MS = 20;

// GraphQL checks each value it looks at for a second copy of itself unless told that this is production: a twelfth of the
// work of a search. It reads the variable when it is loaded, so that everything else is loaded behind this line.
process.env.NODE_ENV ??= 'production';
// Until the program says how it stops, there is nothing to finish: a stop that comes while it loads is obeyed at once.
let stop: () => void = () => process.exit(0);
// Whoever asks again has waited enough. At once it is the same word by another way: a terminal tells npm and us, and npm us.
const AGAIN_AFTER_MS = 500;
let askedToStopMs: number | null = null;
function askToStop(): void {
  if (askedToStopMs === null) stop();
  else if (performance.now() - askedToStopMs > AGAIN_AFTER_MS) process.exit(1);
  askedToStopMs ??= performance.now();
}
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, askToStop);
// npm and npx may have a shell between themselves and us, which a signal ends before it has told us: whoever has started us is
// gone then, and so should we be. Workers (which have a channel) hear it from the process that has started them.
const PARENT_LOOK_MS = 250;
if (process.env.npm_lifecycle_event !== undefined && process.send === undefined) {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    if (askedToStopMs === null) askToStop();
  }, PARENT_LOOK_MS);
  timer.unref();
}
// Whoever read what is printed may leave before its end (`marketplace audit export | head`): nobody wants the rest.
process.stdout.on('error', () => stop());
const { runProgram } = await import('./cli/program.ts');

const host: Host = {
  environment: process.env,
  printLine: (line) => void process.stdout.write(`${line}\n`),
  printErrorLine: (line) => void process.stderr.write(`${line}\n`),
  onStop(listener) {
    stop = listener;
  },
  watchProcess,
  onReload: (listener) => void process.on('SIGHUP', listener),
};

/** The delay is measured by a timer of Node's own, outside of JavaScript; its resolution is no lateness. */
function watchProcess() {
  const delay = monitorEventLoopDelay({ resolution: EVENT_LOOP_RESOLUTION_MS });
  delay.enable();
  const toSeconds = (ns: number) => (Number.isFinite(ns) ? Math.max(0, ns / 1e9 - EVENT_LOOP_RESOLUTION_MS / 1e3) : 0);
  return () => {
    const { user, system } = process.cpuUsage();
    const { rss, heapUsed, heapTotal, external } = process.memoryUsage();
    const eventLoopLag = {
      meanSeconds: delay.count === 0 ? 0 : toSeconds(delay.mean),
      p99Seconds: delay.count === 0 ? 0 : toSeconds(delay.percentile(99)),
      maxSeconds: delay.count === 0 ? 0 : toSeconds(delay.max),
    };
    delay.reset();
    return {
      nodeVersion: process.version,
      startedAtSeconds: performance.timeOrigin / 1e3,
      ...{ cpuUserSeconds: user / 1e6, cpuSystemSeconds: system / 1e6 },
      ...{ residentBytes: rss, heapUsedBytes: heapUsed, heapTotalBytes: heapTotal, externalBytes: external },
      eventLoopLag,
    };
  };
}

const given = process.argv.slice(2);
// Ended by force: whatever still ticks has nothing left to do, and must not keep a stopped gateway in the process list.
process.exit(await runProgram(given.length === 0 ? ['serve'] : given, host));
