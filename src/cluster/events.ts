/** What the processes of one gateway tell each other, and how it is written. What comes from outside is parsed, never trusted. */
import { z } from 'zod';
import type { CacheInvalidation, TemplateFacts } from '../domain/cache.ts';

/** A message is far below it; what is longer is none of ours. */
const MAX_EVENT_CHARACTERS = 1_048_576;

const text = z.string();
const texts = z.array(text);

const factsSchema = z.strictObject({
  name: text,
  category: text.nullable(),
  domain: text.nullable(),
  complexity: z.enum(['SIMPLE', 'MODERATE', 'ADVANCED', 'COMPLEX']).nullable(),
  keywords: texts,
  tags: texts,
  connectionTypes: texts,
  packageManagers: texts,
  license: text.nullable(),
  rating: z.number().nullable(),
  verified: z.boolean(),
  validated: z.boolean().nullable(),
  researchUser: z.boolean().nullable(),
  updatedAtMs: z.number().nullable(),
});
const stateSchema = z.union([factsSchema, z.literal('ABSENT')]);

const eventSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('INVALIDATION'),
    invalidation: z.strictObject({
      registry: text.exactOptional(),
      layer: z.enum(['SEARCH', 'TEMPLATE', 'CATALOG', 'VALIDATION', 'RESPONSE']).exactOptional(),
      template: text.exactOptional(),
      before: stateSchema.exactOptional(),
      after: stateSchema.exactOptional(),
    }),
  }),
  z.strictObject({
    kind: z.literal('CIRCUIT'),
    registry: text,
    operation: z.enum(['SEARCH', 'TEMPLATE', 'CATALOG']),
    state: z.enum(['OPEN', 'CLOSED']),
  }),
  z.strictObject({ kind: z.literal('HEALTH'), registry: text, isReachable: z.boolean() }),
  z.strictObject({
    kind: z.literal('USAGE'),
    callers: z
      .array(
        z.strictObject({
          caller: z.string().max(64),
          requests: z.number().int().min(0).max(1_000_000_000),
          cost: z.number().min(0).max(1_000_000_000_000),
        }),
      )
      .max(2000),
  }),
  z.strictObject({ kind: z.literal('METRICS_WANTED'), id: text, names: texts.nullable() }),
  z.strictObject({ kind: z.literal('METRICS'), id: text, worker: text, text }),
  z.strictObject({ kind: z.literal('PAUSE'), budget: text, durationMs: z.number().min(0).max(86_400_000) }),
]);

/**
 * INVALIDATION: kept answers are no longer true. CIRCUIT: one process has found a registry broken, or mended. HEALTH: a check
 * has found another state than the one before it. PAUSE: a registry asked to be left alone (Retry-After). USAGE: what callers
 * have used of one process since it told the last time. METRICS_WANTED: a worker gathers the numbers of the others on its
 * machine, of registries of these names; METRICS: a part of them.
 */
export type ClusterEvent =
  | { readonly kind: 'INVALIDATION'; readonly invalidation: CacheInvalidation }
  | Readonly<Exclude<z.infer<typeof eventSchema>, { kind: 'INVALIDATION' }>>;

/** As JSON. Of templates only what an invalidation is judged by is told. */
export function encodeEvent(event: ClusterEvent): string {
  if (event.kind !== 'INVALIDATION') return JSON.stringify(event);
  const { before, after, ...rest } = event.invalidation;
  const states = {
    ...(before !== undefined && { before: pickFacts(before) }),
    ...(after !== undefined && { after: pickFacts(after) }),
  };
  return JSON.stringify({ kind: event.kind, invalidation: { ...rest, ...states } });
}

/** null: it is nothing that this version understands. */
export function decodeEvent(json: string): ClusterEvent | null {
  if (json.length > MAX_EVENT_CHARACTERS) return null;
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return null;
  }
  const parsed = eventSchema.safeParse(value);
  return parsed.success ? parsed.data : null;
}

function pickFacts(state: TemplateFacts | 'ABSENT'): TemplateFacts | 'ABSENT' {
  if (state === 'ABSENT') return state;
  return {
    name: state.name,
    category: state.category,
    domain: state.domain,
    complexity: state.complexity,
    keywords: state.keywords,
    tags: state.tags,
    connectionTypes: state.connectionTypes,
    packageManagers: state.packageManagers,
    license: state.license,
    rating: state.rating,
    verified: state.verified,
    validated: state.validated,
    researchUser: state.researchUser,
    updatedAtMs: state.updatedAtMs,
  };
}
