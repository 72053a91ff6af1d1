/** Pages of the trail, the newest event first. */
import type { SelectQueryBuilder } from 'kysely';
import type { AuditCriteria, AuditEvent, AuditPage } from '../domain/audit.ts';
import type { Storage } from '../storage/storage.ts';
import type { StorageTables } from '../storage/tables.ts';
import { fromRow } from './chain.ts';
import type { AuditCursors } from './cursor.ts';

type EventsQuery<Output> = SelectQueryBuilder<StorageTables, 'audit_events', Output>;

/** Whatever was done by whom. */
export const ALL_EVENTS: AuditCriteria = {
  ...{ actor: null, action: null, registryName: null, template: null, sinceMs: null, untilMs: null },
};

export interface PageRequest {
  readonly criteria: AuditCriteria;
  readonly first: number;
  readonly after: string | null;
  /** null: whichever registry an event concerns. */
  readonly registryNames: readonly string[] | null;
}

/** Throws BadCursor, and what the database does. */
export async function readAuditPage(
  { db }: Storage,
  cursors: AuditCursors,
  { criteria, first, after, registryNames }: PageRequest,
): Promise<AuditPage> {
  const before = after === null ? null : cursors.open(after, criteria, 'after');
  let query = narrow(db.selectFrom('audit_events').selectAll(), criteria, registryNames);
  if (before !== null) query = query.where('sequence', '<', before);
  const rows = await query
    .orderBy('sequence', 'desc')
    .limit(first + 1)
    .execute();
  const events = rows.slice(0, first).map(fromRow);
  return {
    events: registryNames === null ? events : await showTo(registryNames, events, db),
    hasNextPage: rows.length > first,
    cursorOf: ({ sequence }) => cursors.seal(sequence, criteria),
    countAll: async () => {
      const counting = db.selectFrom('audit_events').select(({ fn }) => fn.countAll<number>().as('count'));
      return (await narrow(counting, criteria, registryNames).executeTakeFirstOrThrow()).count;
    },
  };
}

/** The list of registries in what is recorded of a change of the configuration (src/live/config-change.ts). */
const LISTED_REGISTRIES = /^(added|removed|changed): (.+)$/;
const NO_HASH = '0'.repeat(64);

/** Events as they are shown to who may see these registries: nothing in them tells of another one, or that something was left out. */
async function showTo(
  registryNames: readonly string[],
  events: readonly AuditEvent[],
  db: Storage['db'],
): Promise<readonly AuditEvent[]> {
  const numbers = events.map(({ sequence }) => sequence - 1);
  const rows =
    numbers.length === 0
      ? []
      : await db
          .selectFrom('audit_events')
          .select(['sequence', 'registry_name'])
          .where('sequence', 'in', numbers)
          .execute();
  const unseen = new Set(
    rows
      .filter(({ registry_name: name }) => name !== null && !registryNames.includes(name))
      .map(({ sequence }) => sequence),
  );
  return await Promise.all(
    events.map(async (event) => ({
      ...event,
      detail: event.action === 'configuration.change' ? nameSeen(event.detail, registryNames) : event.detail,
      previousHash: unseen.has(event.sequence - 1)
        ? await findHashBefore(event.sequence, registryNames, db)
        : event.previousHash,
    })),
  );
}

/** Of the last event before it that is shown, so that the chain has no gap where one is not. */
async function findHashBefore(sequence: number, registryNames: readonly string[], db: Storage['db']): Promise<string> {
  const before = db.selectFrom('audit_events').select('hash').where('sequence', '<', sequence);
  const found = await narrow(before, ALL_EVENTS, registryNames).orderBy('sequence', 'desc').limit(1).executeTakeFirst();
  return found?.hash ?? NO_HASH;
}

function nameSeen(detail: string | null, registryNames: readonly string[]): string | null {
  if (detail === null) return null;
  const parts = detail.split('; ').flatMap((part) => {
    const [, what, names = ''] = LISTED_REGISTRIES.exec(part) ?? [];
    if (what === undefined) return [part];
    const seen = names.split(', ').filter((name) => registryNames.includes(name));
    return seen.length === 0 ? [] : [`${what}: ${seen.join(', ')}`];
  });
  return parts.join('; ');
}

function narrow<Output>(
  given: EventsQuery<Output>,
  { actor, action, registryName, template, sinceMs, untilMs }: AuditCriteria,
  registryNames: readonly string[] | null,
): EventsQuery<Output> {
  let query = given;
  if (actor !== null) query = query.where('actor', '=', actor);
  if (action !== null) query = query.where('action', '=', action);
  if (registryName !== null) query = query.where('registry_name', '=', registryName);
  if (template !== null) query = query.where('template', '=', template);
  if (sinceMs !== null) query = query.where('at_ms', '>=', sinceMs);
  if (untilMs !== null) query = query.where('at_ms', '<', untilMs);
  if (registryNames === null) return query;
  return query.where(({ eb, or }) =>
    or([
      eb('registry_name', 'is', null),
      ...(registryNames.length === 0 ? [] : [eb('registry_name', 'in', registryNames)]),
    ]),
  );
}
