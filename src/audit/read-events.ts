/** Pages of the trail, the newest event first. */
import type { SelectQueryBuilder } from 'kysely';
import type { AuditCriteria, AuditPage } from '../domain/audit.ts';
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
  return {
    events: rows.slice(0, first).map(fromRow),
    hasNextPage: rows.length > first,
    cursorOf: ({ sequence }) => cursors.seal(sequence, criteria),
    countAll: async () => {
      const counting = db.selectFrom('audit_events').select(({ fn }) => fn.countAll<number>().as('count'));
      return (await narrow(counting, criteria, registryNames).executeTakeFirstOrThrow()).count;
    },
  };
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
