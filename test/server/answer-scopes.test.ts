import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ServedRegistries, serveRegistries, wireTemplates } from './serve-registries.ts';

const NAMES = ['one', 'two', 'three'] as const;
const RIGHTS = ['a', 'b', 'admin'] as const;
const RUNS = 12;

const rights = fc.subarray([...RIGHTS]);
const access = fc.option(
  fc.record({ roles: rights, groups: rights }).filter(({ roles, groups }) => roles.length + groups.length > 0),
  { nil: undefined },
);
const callers = fc.array(fc.record({ roles: rights, groups: rights }), { minLength: 1, maxLength: 3 });

/** Everything that depends on who asks, without anything live. */
const QUERIES = [
  '{ search(query: "template") { totalCount nodes { name registry { name priority url } } registries { registry { name } } } }',
  '{ search(filter: { registries: ["two"] }) { totalCount nodes { id } } }',
  '{ registries { name url priority type } }',
  '{ registry(name: "one") { name url } }',
  '{ template(name: "shared-00") { version registry { name } sources { registry { name priority } canonical } sourcesComplete } }',
  '{ template(name: "three-01") { name registry { url } } }',
  '{ categories { name count registries { name } } }',
  'query ($n: Int) { search(first: $n, orderBy: { field: NAME }) { nodes { name } pageInfo { hasNextPage endCursor } } }',
  '{ viewer { subject roles groups registries { name } } }',
];

const steps = fc.array(
  fc.record({
    // One more than there are callers: anonymous.
    caller: fc.nat({ max: 3 }),
    query: fc.nat({ max: QUERIES.length - 1 }),
    count: fc.integer({ min: 1, max: 2 }),
    isAtOnce: fc.boolean(),
    isGet: fc.boolean(),
    key: fc.constantFrom<'KNOWN' | 'WRONG'>('KNOWN', 'KNOWN', 'KNOWN', 'WRONG'),
  }),
  { minLength: 20, maxLength: 60 },
);

interface Step {
  readonly caller: number;
  readonly query: number;
  readonly count: number;
  readonly isGet: boolean;
  readonly key: 'KNOWN' | 'WRONG';
}

function keyOf(step: Step, callerCount: number): string | null {
  if (step.key === 'WRONG') return 'a key that is not known';
  return step.caller < callerCount ? `key-${step.caller}` : null;
}

async function ask({ origin }: ServedRegistries, step: Step, callerCount: number): Promise<string> {
  const key = keyOf(step, callerCount);
  const query = QUERIES[step.query] ?? '';
  const variables = { n: step.count };
  const headers = { 'content-type': 'application/json', ...(key !== null && { 'x-api-key': key }) };
  const search = new URLSearchParams({ query, variables: JSON.stringify(variables) });
  const response = step.isGet
    ? await fetch(`${origin}/graphql?${search}`, { headers })
    : await fetch(`${origin}/graphql`, { method: 'POST', headers, body: JSON.stringify({ query, variables }) });
  if (key !== null && response.status === 200) {
    expect(response.headers.get('cache-control')).not.toMatch(/public/);
  }
  return `${response.status} ${await response.text()}`;
}

describe('kept answers and access', () => {
  it('whoever asks what in whichever order is answered as by a gateway that keeps no answers', async () => {
    await fc.assert(
      fc.asyncProperty(fc.tuple(access, access, access), callers, steps, async (accesses, rightsOf, asked) => {
        const options = (responses: string) => ({
          catalogs: Object.fromEntries(
            NAMES.map((name) => [name, [...wireTemplates(name, 3), ...wireTemplates('shared', 2)]]),
          ),
          settings: Object.fromEntries(
            NAMES.map((name, index) => [name, { ...(accesses[index] && { access: accesses[index] }) }]),
          ),
          server: { cache: { disk: 'off', responses } },
          auth: {
            apiKeys: rightsOf.map((caller, index) => ({
              id: `caller-${index}`,
              sha256: createHash('sha256').update(`key-${index}`).digest('hex'),
              ...caller,
            })),
          },
        });
        await using keeping = await serveRegistries(options('8mb'));
        await using plain = await serveRegistries(options('off'));
        const withoutPorts = (text: string) => text.replaceAll(/127\.0\.0\.1:\d+/g, 'registry');
        const running: Promise<void>[] = [];
        for (const step of asked) {
          const compared = Promise.all([ask(keeping, step, rightsOf.length), ask(plain, step, rightsOf.length)]).then(
            ([kept, made]) => expect(withoutPorts(kept)).toBe(withoutPorts(made)),
          );
          running.push(compared);
          if (!step.isAtOnce) await Promise.all(running);
        }
        await Promise.all(running);
      }),
      { numRuns: RUNS, endOnFailure: true },
    );
  }, 120_000);
});
