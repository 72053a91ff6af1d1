/** Rows and templates as the real adapter reads them from the wire, for tests of plain functions. */
import { marketplace } from '../../datasources/marketplace/index.ts';
import { NO_CRITERIA } from '../../src/domain/search.ts';
import type { CatalogRow, Template } from '../../src/domain/template.ts';

/** What a template on the wire may be given in part. */
export type WireMembers = Readonly<Record<string, unknown>>;

/** Rows of a search answer. A member without a name or a version gets one. */
export function readRows(registryName: string, members: readonly WireMembers[]): CatalogRow[] {
  const templates = members.map((member, index) => ({ name: `row-${index}`, version: '1.0.0', ...member }));
  const page = marketplace.search.toPage(
    { templates },
    { registryName, popularityScale: 1 },
    { query: '', criteria: NO_CRITERIA, field: 'NAME', direction: 'ASC', offset: 0, limit: templates.length },
  );
  return page.rows.map((row) => {
    if (row === null) throw new Error('a row of a test must be well-formed');
    return row;
  });
}

/** One template of the registry "one". */
export function readTemplate(member: WireMembers): Template {
  const [row] = readRows('one', [member]);
  if (row === undefined) throw new Error('one row must have been read');
  return row.template;
}
