/** `marketplace registry serve <folder>`: a registry of the protocol over a folder of templates, until it is asked to stop. */
import { runRegistry, UsageError } from '../../registry/serve.ts';
import { EXIT_DONE, EXIT_FAILED, EXIT_USAGE, type Host } from './host.ts';

/** Serves until the host says stop. `given`: the folder and the options of the registry's own program. */
export async function serveRegistry(given: readonly string[], host: Host): Promise<number> {
  try {
    const registry = await runRegistry(given, host.environment);
    for (const { file, message } of registry.faults) host.printErrorLine(`${file}: ${message}. It is left out.`);
    const stopped = new Promise<void>((resolve) => {
      host.onStop(resolve);
    });
    host.printLine(`Registry with ${registry.size} templates at ${registry.url}`);
    await stopped;
    await registry.close();
    return EXIT_DONE;
  } catch (error) {
    host.printErrorLine(error instanceof Error ? error.message : String(error));
    return error instanceof UsageError ? EXIT_USAGE : EXIT_FAILED;
  }
}
