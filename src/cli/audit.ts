/** `marketplace audit verify`, `list` and `export`: the audit trail, read in its database. */
import { destination, pino } from 'pino';
import { toMembers } from '../audit/event-hash.ts';
import { type OfflineTrail, openOfflineTrail } from '../audit/open-offline.ts';
import type { Config } from '../config/config.ts';
import { ConfigFaults } from '../config/faults.ts';
import { demoConfig, loadConfig } from '../config/load.ts';
import type { AuditEvent } from '../domain/audit.ts';
import { EXIT_DONE, EXIT_FAILED, EXIT_USAGE, type Host } from './host.ts';

/** Standard error: standard output is for what was asked. */
const LOG_DESCRIPTOR = 2;
const MAX_LISTED = 100_000;
/** Without a configuration there are registries of the demo's own, which have no part in this. */
const ANY_REGISTRY = { name: 'demo', type: 'official', url: 'http://127.0.0.1' } as const;

export interface AuditVerifyOptions {
  readonly from?: string;
  /** "<sequence>:<hash>", as `verify` prints it. */
  readonly expect?: string;
  readonly format: 'table' | 'json';
}

/** Gives the exit code: 0 the trail is whole, 1 it is not (or cannot be read), 2 wrong use. */
export async function verifyAudit(options: AuditVerifyOptions, host: Host): Promise<number> {
  const fromSequence = readCount(options.from ?? '1');
  const noted = options.expect === undefined ? null : /^(\d{1,15}):([0-9a-f]{64})$/.exec(options.expect);
  if (fromSequence === null || (options.expect !== undefined && noted === null)) {
    host.printErrorLine('"--from" must be a sequence number, "--expect" one with a hash behind it: <sequence>:<hash>.');
    return EXIT_USAGE;
  }
  const expected = noted === null ? null : { sequence: Number(noted[1]), hash: noted[2] ?? '' };
  return withTrail(host, async (trail) => {
    const { faults, ...verification } = await trail.verify({ fromSequence, expected });
    if (options.format === 'json') {
      host.printLine(JSON.stringify({ isWhole: faults.length === 0, database: trail.place, ...verification, faults }));
    } else {
      const { events, firstSequence, head } = verification;
      const range = firstSequence === null ? 'no events' : `${events} events from ${firstSequence} on`;
      host.printLine(`The audit trail in ${trail.place}: ${range} verified.`);
      host.printLine(`It ends with ${head.sequence}:${head.hash}`);
      for (const { sequence, problem } of faults) host.printErrorLine(`Event ${sequence}: ${problem}.`);
    }
    return faults.length === 0 ? EXIT_DONE : EXIT_FAILED;
  });
}

export interface AuditListOptions {
  readonly actor?: string;
  readonly action?: string;
  readonly registry?: string;
  readonly template?: string;
  readonly since?: string;
  readonly until?: string;
  readonly limit: string;
  readonly format: 'table' | 'json';
}

/** Prints the newest events, the newest first. Gives the exit code: 0 done, 1 failed, 2 wrong use. */
export async function listAudit(options: AuditListOptions, host: Host): Promise<number> {
  const count = readCount(options.limit);
  const [sinceMs, untilMs] = [options.since, options.until].map((text) =>
    text === undefined ? null : Date.parse(text),
  );
  if (count === null || count < 1 || count > MAX_LISTED || Number.isNaN(sinceMs) || Number.isNaN(untilMs)) {
    host.printErrorLine(
      `"--limit" must be from 1 to ${MAX_LISTED}, "--since" and "--until" times such as 2026-01-31T12:00:00Z.`,
    );
    return EXIT_USAGE;
  }
  const criteria = {
    actor: options.actor ?? null,
    action: options.action ?? null,
    registryName: options.registry ?? null,
    template: options.template ?? null,
    sinceMs: sinceMs ?? null,
    untilMs: untilMs ?? null,
  };
  return withTrail(host, async (trail) => {
    const events = await trail.list(criteria, count);
    for (const event of events) host.printLine(options.format === 'json' ? toJson(event) : toLine(event));
    return EXIT_DONE;
  });
}

/** Prints each event as a line of JSON, the oldest first. Gives the exit code: 0 done, 1 failed, 2 wrong use. */
export async function exportAudit({ from }: { readonly from?: string }, host: Host): Promise<number> {
  const fromSequence = readCount(from ?? '1');
  if (fromSequence === null) {
    host.printErrorLine('"--from" must be a sequence number.');
    return EXIT_USAGE;
  }
  return withTrail(host, async (trail) => {
    for await (const event of trail.walk(fromSequence)) host.printLine(toJson(event));
    return EXIT_DONE;
  });
}

async function withTrail(host: Host, use: (trail: OfflineTrail) => Promise<number>): Promise<number> {
  try {
    const config = readConfig(host);
    const log = pino({ level: config.logLevel }, destination(LOG_DESCRIPTOR));
    await using trail = await openOfflineTrail(config, log);
    if (trail !== null) return await use(trail);
    host.printErrorLine(
      'There is no audit trail yet: its file is made when a gateway starts. Check MARKETPLACE_DATA and DATABASE_URL.',
    );
    return EXIT_FAILED;
  } catch (error) {
    host.printErrorLine(error instanceof Error ? error.message : String(error));
    return error instanceof ConfigFaults ? EXIT_USAGE : EXIT_FAILED;
  }
}

function readConfig({ environment }: Host): Config {
  const path = environment.MARKETPLACE_CONFIG;
  return path ? loadConfig({ path, environment }) : demoConfig([ANY_REGISTRY], environment);
}

/** null: no number. */
function readCount(text: string): number | null {
  return /^\d{1,15}$/.test(text) ? Number(text) : null;
}

/** The members that are hashed, in the order they are hashed in, and their hash: without that it is the hashed text. */
function toJson(event: AuditEvent): string {
  return JSON.stringify({ ...toMembers(event), hash: event.hash });
}

function toLine(event: AuditEvent): string {
  const { sequence, atMs, actor, action, outcome, registryName, template, version, occurrences, detail } = event;
  const subject = [registryName, template, version].filter((part) => part !== null).join('/');
  const parts = [String(sequence), new Date(atMs).toISOString(), outcome, action, actor, subject];
  if (occurrences > 1) parts.push(`×${occurrences}`);
  if (detail !== null) parts.push(`(${detail})`);
  // What callers chose, their names of templates for one, must not write on the reader's terminal.
  return parts
    .filter((part) => part !== '')
    .join('  ')
    .replaceAll(/\p{C}/gu, '\ufffd');
}
