/** Processes of a benchmark: each side of a comparison runs in its own, so that its CPU time can be told apart. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';

/** What a process can be told, by name. Arguments and results go through JSON. */
type Commands = Readonly<Record<string, (argument: never) => unknown>>;

/** Of a process since it started. */
export interface Usage {
  /** Microseconds of CPU, user and system, all threads. */
  readonly cpuUs: number;
  readonly rssBytes: number;
  /** After a collection of garbage. */
  readonly heapBytes: number;
}

/** A running process of a benchmark. */
export interface Remote<C extends Commands> extends Measurable, AsyncDisposable {
  /** Has the process do something; rejects with its error, or when it ends before it answers. */
  call<K extends keyof C & string>(name: K, argument: Parameters<C[K]>[0]): Promise<Awaited<ReturnType<C[K]>>>;
}

/** A process as far as it is measured. */
export interface Measurable {
  /** `collect`: garbage first, so that what is left is in use. */
  readUsage(collect: boolean): Promise<Usage>;
}

interface Call {
  readonly id: number;
  readonly name: string;
  readonly argument: unknown;
}

type Reply = { readonly id: number; readonly result: unknown } | { readonly id: number; readonly error: string };

/** Starts a module of this folder (its file name) as a process that serves the commands `C`. */
export function startProcess<C extends Commands>(file: string): Remote<C> {
  const child = fork(new URL(file, import.meta.url), {
    // As `npm start` runs it: GraphQL looks at the variable when it is loaded.
    env: { ...process.env, NODE_ENV: 'production' },
    // --expose-gc, and --cpu-prof where somebody profiles.
    execArgv: ['--expose-gc', ...(process.env.BENCH_NODE_FLAGS?.split(' ') ?? [])],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const waiting = new Map<number, (reply: Reply) => void>();
  child.on('message', (reply: Reply) => waiting.get(reply.id)?.(reply));
  child.on('exit', (code) => {
    for (const [id, settle] of waiting) settle({ id, error: `${file} ended with ${code} before it answered` });
  });
  let calls = 0;
  const send = async (name: string, argument: unknown): Promise<unknown> => {
    calls += 1;
    const id = calls;
    const reply = await new Promise<Reply>((resolve) => {
      waiting.set(id, resolve);
      child.send({ id, name, argument } satisfies Call);
    });
    waiting.delete(id);
    if ('error' in reply) throw new Error(reply.error);
    return reply.result;
  };
  return {
    // The other end is this project's own code, started from the same files: its types hold across the channel.
    call: <K extends keyof C & string>(name: K, argument: Parameters<C[K]>[0]) =>
      send(name, argument) as Promise<Awaited<ReturnType<C[K]>>>,
    readUsage: (collect) => send('readUsage', collect) as Promise<Usage>,
    [Symbol.asyncDispose]: () => endProcess(child),
  };
}

async function endProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  // The process ends by itself when its channel is gone.
  if (child.connected) child.disconnect();
  const timer = setTimeout(() => child.kill('SIGKILL'), 5_000);
  await ended;
  clearTimeout(timer);
}

/** In such a process: serves its commands, and `readUsage`, until whoever started it is done. */
export function serveCommands(commands: Commands): void {
  const all: Commands = { ...commands, readUsage };
  process.on('message', (call: Call) => void answer(all, call));
  process.on('disconnect', () => process.exit(0));
}

async function answer(commands: Commands, { id, name, argument }: Call): Promise<void> {
  const command = commands[name];
  try {
    if (command === undefined) throw new Error(`there is no command "${name}"`);
    const result = await command(argument as never);
    process.send?.({ id, result } satisfies Reply);
  } catch (error) {
    process.send?.({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
}

function readUsage(collect: boolean): Usage {
  if (collect) global.gc?.();
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed } = process.memoryUsage();
  return { cpuUs: user + system, rssBytes: rss, heapBytes: heapUsed };
}
