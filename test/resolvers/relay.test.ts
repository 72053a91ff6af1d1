import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ServedRegistries, serveRegistries, wireTemplates } from '../server/serve-registries.ts';

interface Page {
  readonly edges: readonly { readonly cursor: string; readonly node: { readonly name: string } }[];
  readonly nodes: readonly { readonly name: string }[];
  readonly pageInfo: {
    readonly hasNextPage: boolean;
    readonly hasPreviousPage: boolean;
    readonly startCursor: string | null;
    readonly endCursor: string | null;
  };
  readonly totalCount: number;
}

let served: ServedRegistries;
beforeAll(async () => {
  served = await serveRegistries({ catalogs: { official: wireTemplates('a', 7), community: wireTemplates('b', 6) } });
});
afterAll(async () => {
  await served[Symbol.asyncDispose]();
});

async function readPage(given: Record<string, unknown>): Promise<Page> {
  const { data, errors } = await served.ask(
    'query Q($first: Int, $after: String, $last: Int, $before: String, $query: String) { search(query: $query, first: $first, ' +
      'after: $after, last: $last, before: $before, orderBy: { field: NAME }) { edges { cursor node { name } } nodes { name } ' +
      'pageInfo { hasNextPage hasPreviousPage startCursor endCursor } totalCount } }',
    given,
  );
  expect(errors).toEqual([]);
  return (data as { search: Page }).search;
}

const namesOf = (page: Page) => page.edges.map(({ node }) => node.name);

describe('the connection of a search', () => {
  it('gives first, then what is behind after, in one order without gaps', async () => {
    const all = namesOf(await readPage({ first: 100 }));
    expect(all).toHaveLength(13);
    const walked: string[] = [];
    let after: string | null = null;
    for (;;) {
      const page: Page = await readPage({ first: 4, after });
      walked.push(...namesOf(page));
      expect(page.pageInfo.hasPreviousPage).toBe(after !== null);
      expect(page.nodes.map(({ name }) => name)).toEqual(namesOf(page));
      expect(page.pageInfo.startCursor).toBe(page.edges[0]?.cursor);
      expect(page.pageInfo.endCursor).toBe(page.edges.at(-1)?.cursor);
      if (!page.pageInfo.hasNextPage) break;
      after = page.pageInfo.endCursor;
    }
    expect(walked).toEqual(all);
  });

  it('gives last, then what is in front of before, in the same order', async () => {
    const all = namesOf(await readPage({ first: 100 }));
    const walked: string[] = [];
    let before: string | null = null;
    for (;;) {
      const page: Page = await readPage({ last: 4, before });
      walked.unshift(...namesOf(page));
      expect(page.pageInfo.hasNextPage).toBe(before !== null);
      if (!page.pageInfo.hasPreviousPage) break;
      before = page.pageInfo.startCursor;
    }
    expect(walked).toEqual(all);
  });

  it('lets a walk go on behind the cursor of any edge', async () => {
    const page = await readPage({ first: 6 });
    const third = page.edges[2]?.cursor;
    expect(namesOf(await readPage({ first: 3, after: third }))).toEqual(namesOf(page).slice(3, 6));
    expect(namesOf(await readPage({ last: 2, before: third }))).toEqual(namesOf(page).slice(0, 2));
  });

  it('has 20 entries at most when no size is given, forwards and with before alone', async () => {
    expect(namesOf(await readPage({}))).toHaveLength(13);
    const all = await readPage({ first: 100 });
    expect(namesOf(await readPage({ before: all.pageInfo.endCursor }))).toEqual(namesOf(all).slice(0, -1));
  });

  it('is empty, and not an error, when nothing matches', async () => {
    const page = await readPage({ first: 5, query: 'zzzzqqqq' });
    expect(page).toEqual({
      edges: [],
      nodes: [],
      pageInfo: expect.objectContaining({ hasNextPage: false, hasPreviousPage: false }),
      totalCount: 0,
    });
  });

  it('orders by popularity when the words of a search for relevance are taken away', async () => {
    const ask = async (orderBy: string) =>
      (await served.ask(`{ search(query: "  ", ${orderBy} first: 5) { nodes { name } edges { score } } }`)).data;
    const plain = await ask('');
    expect(await ask('orderBy: { field: RELEVANCE },')).toEqual(plain);
    expect(await ask('orderBy: { field: POPULARITY, direction: DESC },')).toEqual(plain);
  });
});

describe('a node', () => {
  it('is found again by its id, alone and among others, and is null where there is none', async () => {
    const { data } = await served.ask('{ template(name: "a-03") { id } registry(name: "community") { id } }');
    const { template, registry } = data as { template: { id: string }; registry: { id: string } };
    const gone = Buffer.from('["T","official","gone","1"]').toString('base64url');
    const { data: again, errors } = await served.ask(
      'query N($ids: [ID!]!, $id: ID!) { node(id: $id) { __typename id } nodes(ids: $ids) { __typename id ... on Template { name } ... on Registry { type } } }',
      { id: registry.id, ids: [template.id, gone, 'nonsense', registry.id, template.id] },
    );
    expect(again).toEqual({
      node: { __typename: 'Registry', id: registry.id },
      nodes: [
        { __typename: 'Template', id: template.id, name: 'a-03' },
        null,
        null,
        { __typename: 'Registry', id: registry.id, type: 'OFFICIAL' },
        { __typename: 'Template', id: template.id, name: 'a-03' },
      ],
    });
    expect(errors.map(({ path, extensions }) => ({ path, ...extensions }))).toEqual([
      { path: ['nodes', 2], code: 'BAD_USER_INPUT', field: 'ids' },
    ]);
  });
});
