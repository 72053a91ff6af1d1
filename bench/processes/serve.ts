/** The inside of a benchmark's process: does what it is told over the channel to the process that started it. */

/** What a process can be told, by name. Arguments and results go through JSON. */
export type Commands = Readonly<Record<string, (argument: never) => unknown>>;

export interface Call {
  readonly id: number;
  readonly name: string;
  readonly argument: unknown;
}

export type Reply = { readonly id: number; readonly result: unknown } | { readonly id: number; readonly error: string };

/** Of a process since it started. */
export interface Usage {
  /** Microseconds of CPU, user and system, all threads. */
  readonly cpuUs: number;
  readonly rssBytes: number;
  /** Of V8's heap: what is in use, and garbage that was not collected yet. */
  readonly heapBytes: number;
}

const USAGE_COMMANDS = {
  readUsage(): Usage {
    const { user, system } = process.cpuUsage();
    const { rss, heapUsed } = process.memoryUsage();
    return { cpuUs: user + system, rssBytes: rss, heapBytes: heapUsed };
  },
  /** Only where the process was started with --expose-gc. Twice: what finalizers let go is freed by the second. */
  collectGarbage(): void {
    global.gc?.();
    global.gc?.();
  },
};

/** Serves the commands, and those that every process has, until whoever started this process is done. */
export function serveCommands(commands: Commands): void {
  const all: Commands = { ...commands, ...USAGE_COMMANDS };
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
