/** Processes of a benchmark: each side of a comparison runs in its own, so that its CPU time can be told apart. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join, parse } from 'node:path';
import type { Call, Commands, Reply, Usage } from './serve.ts';

/** A process as far as it is measured. */
export interface Measurable {
  readUsage(): Promise<Usage>;
  /** Where it was started with --expose-gc. */
  collectGarbage(): Promise<void>;
}

/** A running process of a benchmark. */
export interface Remote<C extends Commands> extends Measurable, AsyncDisposable {
  /** Has the process do something; rejects with its error, or when it ends before it answers. */
  call<K extends keyof C & string>(name: K, argument: Parameters<C[K]>[0]): Promise<Awaited<ReturnType<C[K]>>>;
}

export interface StartOptions {
  /** Added to this process's own. */
  readonly environment?: Readonly<Record<string, string>>;
  /** What the program is given. */
  readonly given?: readonly string[];
  /** Flags of Node. */
  readonly flags?: readonly string[];
}

interface StartedModule extends Measurable, AsyncDisposable {
  readonly child: ChildProcess;
  send(name: string, argument: unknown): Promise<unknown>;
}

const running = new Set<number>();
let started = 0;
let profileFolder: string | null = null;

/** From now on each process that is started writes CPU profiles into a folder of its own in this one when it ends. */
export function profileInto(folder: string): void {
  profileFolder = folder;
}

/** This process, and those that it started and that have not ended. */
export function listProcessIds(): readonly number[] {
  return [process.pid, ...running];
}

/** Starts a module that serves the commands `C`. It ends with this process, if not before. */
export function startProcess<C extends Commands>(url: URL): Remote<C> {
  const { send, child: _child, ...started } = startModule(url);
  return {
    ...started,
    // The other end is this project's own code, started from the same files: its types hold across the channel.
    call: <K extends keyof C & string>(name: K, argument: Parameters<C[K]>[0]) =>
      send(name, argument) as Promise<Awaited<ReturnType<C[K]>>>,
  };
}

/** Starts a module whose process can be measured: it serves commands, or `measured.ts` is loaded in front of it. */
export function startModule(url: URL, { environment, given = [], flags = [] }: StartOptions = {}): StartedModule {
  const child = fork(url, given, {
    // As `npm start` runs it: GraphQL looks at the variable when it is loaded.
    env: { ...process.env, NODE_ENV: 'production', ...environment },
    execArgv: [...flags, ...flagsOfProfile(url), ...(process.env.BENCH_NODE_FLAGS?.split(' ') ?? [])],
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  const { pid = 0 } = child;
  running.add(pid);
  const waiting = new Map<number, (reply: Reply) => void>();
  child.on('message', (reply: Reply) => waiting.get(reply.id)?.(reply));
  child.on('exit', (code, signal) => {
    running.delete(pid);
    const error = `${url.pathname} ended with ${code ?? signal} before it answered`;
    for (const [id, settle] of waiting) settle({ id, error });
  });
  let calls = 0;
  const send = async (name: string, argument: unknown): Promise<unknown> => {
    if (!child.connected) throw new Error(`${url.pathname} must run to be told "${name}"`);
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
    child,
    send,
    readUsage: () => send('readUsage', null) as Promise<Usage>,
    collectGarbage: () => send('collectGarbage', null) as Promise<void>,
    [Symbol.asyncDispose]: () => endProcess(child),
  };
}

function flagsOfProfile({ pathname }: URL): readonly string[] {
  if (profileFolder === null) return [];
  started += 1;
  const { name } = parse(pathname);
  // A folder of its own: each of the process's threads writes a file into it, and one name for all would leave the last one's.
  return [
    '--cpu-prof',
    `--cpu-prof-dir=${join(profileFolder, `${name === 'marketplace' ? 'gateway' : name}-${started}`)}`,
  ];
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
