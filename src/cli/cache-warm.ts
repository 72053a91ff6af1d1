/** `marketplace cache warm`: has answers fetched before they are asked for, here or by a gateway that runs. */
import { destination, pino } from 'pino';
import { ConfigFaults } from '../config/faults.ts';
import { loadConfig } from '../config/load.ts';
import { type WarmedFederation, warmCache } from '../gateway.ts';
import { warmGateway } from './gateway-warm.ts';
import { EXIT_DONE, EXIT_FAILED, EXIT_UNAVAILABLE, EXIT_USAGE, type Host } from './host.ts';

/** Standard error: standard output is for the account. */
const LOG_DESCRIPTOR = 2;
/** The longest that a gateway takes. */
const MAX_QUERY_LENGTH = 200;

export interface CacheWarmOptions {
  /** The URL of a gateway that runs; without it the configuration's own cache is warmed. */
  readonly gateway?: string;
  readonly format: 'table' | 'json';
}

/** Warms, and prints a line for each registry. Gives the exit code: 0 done, 1 failed, 2 wrong use, 5 registries unavailable. */
export async function warm(queries: readonly string[], options: CacheWarmOptions, host: Host): Promise<number> {
  const wrong = queries.find(
    (query) => query.length > MAX_QUERY_LENGTH || /\p{Cc}/u.test(query) || !query.isWellFormed(),
  );
  if (wrong !== undefined) {
    host.printErrorLine(`A query must be plain text of ${MAX_QUERY_LENGTH} characters at most. Shorten it.`);
    return EXIT_USAGE;
  }
  const given = queries.map((query) => query.trim());
  try {
    const gateway = options.gateway ?? host.environment.MARKETPLACE_GATEWAY;
    const warmed = gateway ? await warmGateway(gateway, given, host.environment) : await warmOwn(given, host);
    if (warmed === null) return EXIT_USAGE;
    for (const line of options.format === 'json' ? [JSON.stringify(toJson(warmed))] : toLines(warmed))
      host.printLine(line);
    return warmed.registries.some(({ failed }) => failed > 0) ? EXIT_UNAVAILABLE : EXIT_DONE;
  } catch (error) {
    host.printErrorLine(error instanceof Error ? error.message : String(error));
    return error instanceof ConfigFaults ? EXIT_USAGE : EXIT_FAILED;
  }
}

/** null: there is nothing to warm. */
async function warmOwn(queries: readonly string[], host: Host): Promise<WarmedFederation | null> {
  const path = host.environment.MARKETPLACE_CONFIG;
  if (!path) {
    host.printErrorLine(
      'There is nothing to warm but the demo, which ends with its gateway. Name a configuration in MARKETPLACE_CONFIG, or a gateway that runs with --gateway.',
    );
    return null;
  }
  const config = loadConfig({ path, environment: host.environment });
  if (config.server.cache.disk === null) {
    host.printErrorLine(
      'There is nothing to warm: server.cache.disk is off, and what is fetched would end with this command. Set it to a size, or name a gateway that runs with --gateway.',
    );
    return null;
  }
  return await warmCache(config, queries, { log: pino({ level: config.logLevel }, destination(LOG_DESCRIPTOR)) });
}

/** What scripts read; members are added, and never change. */
function toJson({ registries, searches, templates }: WarmedFederation) {
  return {
    registries: registries.map(({ registryName, fetched, fresh, failed, reasons }) => {
      return { name: registryName, fetched, fresh, failed, reasons };
    }),
    ...sumOf(registries),
    searches,
    templates,
  };
}

function toLines({ registries, searches, templates }: WarmedFederation): string[] {
  const width = Math.max(...registries.map(({ registryName }) => registryName.length));
  const sum = sumOf(registries);
  return [
    ...registries.map((each) => {
      const reasons = each.reasons.length > 0 ? ` (${each.reasons.join(', ')})` : '';
      return `${each.registryName.padEnd(width)}  ${describeCounts(each)}${reasons}`;
    }),
    `In all ${describeCounts(sum)}, for ${searches} searches and ${templates} templates.`,
  ];
}

interface Counts {
  readonly fetched: number;
  readonly fresh: number;
  readonly failed: number;
}

function describeCounts({ fetched, fresh, failed }: Counts): string {
  return `${fetched} fetched, ${fresh} already fresh, ${failed} failed`;
}

function sumOf(registries: readonly Counts[]): Counts {
  const sum = (pick: (each: Counts) => number) => registries.reduce((total, each) => total + pick(each), 0);
  return { fetched: sum((each) => each.fetched), fresh: sum((each) => each.fresh), failed: sum((each) => each.failed) };
}
