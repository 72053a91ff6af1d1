/** schema/audit.graphql */
import type { AuditCriteria, AuditEvent, AuditPage } from '../src/domain/audit.ts';
import { BadCursor } from '../src/domain/errors.ts';
import { checkRange, checkRegistryName, checkValue } from './arguments.ts';
import type { RequestContext } from './context.ts';

/** Events on a page where nothing else is asked for. */
const DEFAULT_PAGE_SIZE = 20;
/** A cursor of the trail has fewer characters. */
const MAX_CURSOR_CHARACTERS = 256;

interface AuditEventsArguments {
  readonly filter?: {
    readonly actor?: string | null;
    readonly action?: string | null;
    readonly registry?: string | null;
    readonly template?: string | null;
    readonly since?: number | null;
    readonly until?: number | null;
  } | null;
  readonly first?: number | null;
  readonly after?: string | null;
}

async function auditEvents(_: unknown, { filter, first, after }: AuditEventsArguments, context: RequestContext) {
  context.requireRole('auditor');
  const criteria = readCriteria(filter ?? {}, context);
  const count = checkRange('first', first ?? DEFAULT_PAGE_SIZE, 1, context.maxPageSize);
  if (after != null && after.length > MAX_CURSOR_CHARACTERS) throw new BadCursor('after');
  const visible = context.view.registries.map(({ source }) => source.info.name);
  const page = await context.audit.read(criteria, { first: count, after: after ?? null }, visible);
  context.audit.count({ action: 'audit.read', registryName: null, outcome: 'SUCCEEDED' });
  return describePage(page, after != null);
}

function readCriteria(filter: NonNullable<AuditEventsArguments['filter']>, { view }: RequestContext): AuditCriteria {
  const { actor, action, registry, template, since, until } = filter;
  return {
    actor: actor == null ? null : checkValue('filter.actor', actor),
    action: action == null ? null : checkValue('filter.action', action),
    registryName: registry == null ? null : checkRegistryName('filter.registry', registry, view),
    template: template == null ? null : checkValue('filter.template', template),
    sinceMs: since ?? null,
    untilMs: until ?? null,
  };
}

function describePage(page: AuditPage, hasPreviousPage: boolean) {
  const cursorOf = (event: AuditEvent | undefined) => (event === undefined ? null : page.cursorOf(event));
  return {
    edges: () => page.events.map((node) => ({ cursor: () => page.cursorOf(node), node })),
    nodes: page.events,
    pageInfo: {
      hasNextPage: page.hasNextPage,
      hasPreviousPage,
      startCursor: () => cursorOf(page.events[0]),
      endCursor: () => cursorOf(page.events.at(-1)),
    },
    totalCount: () => page.countAll(),
  };
}

export const auditResolvers = {
  Query: { auditEvents },
  AuditEvent: {
    // The place in the trail would tell how much there is that the caller may not see.
    id: ({ hash }: AuditEvent) => hash.slice(0, 32),
    at: ({ atMs }: AuditEvent) => atMs,
  },
};
