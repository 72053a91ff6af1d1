/**
 * The registry as a program: `node registry/main.ts <folder> [options]`. Prints one line with its URL, stops on SIGTERM or
 * SIGINT. Exit codes: 0 stopped, 1 failed, 2 wrong arguments.
 */
import { runRegistry, USAGE, UsageError } from './serve.ts';

const argumentsList = process.argv.slice(2);
if (argumentsList.includes('--help')) {
  process.stdout.write(USAGE);
} else {
  try {
    const registry = await runRegistry(argumentsList, process.env);
    for (const { file, message } of registry.faults) process.stderr.write(`${file}: ${message}. It is left out.\n`);
    process.stdout.write(`Registry with ${registry.size} templates at ${registry.url}\n`);
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void registry.close());
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = error instanceof UsageError ? 2 : 1;
  }
}
