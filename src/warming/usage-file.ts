/** Keeps what is asked for most over a restart: one small file in the data directory. Query texts are in it. */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import * as z from 'zod';
import { type TopUsed, Usage } from '../federation/usage.ts';

/** The file's form; one of another version is begun anew. */
const VERSION = 1;
/** Written by its owner, read by nobody else. */
const MODE = 0o600;

const texts = z.array(z.string()).nullable();
const request = z.object({
  query: z.string(),
  filter: z.object({
    ...{ categories: texts, domains: texts, keywords: texts, registries: texts },
    complexity: z.array(z.enum(['SIMPLE', 'MODERATE', 'ADVANCED', 'COMPLEX'])).nullable(),
    minRating: z.number().nullable(),
    ...{ verified: z.boolean().nullable(), validated: z.boolean().nullable(), researchUser: z.boolean().nullable() },
    ...{ connectionTypes: texts, packageManagers: texts, licenses: texts },
    updatedSinceMs: z.number().nullable(),
    registryTypes: z.array(z.enum(['OFFICIAL', 'COMMUNITY', 'INSTITUTIONAL', 'PRIVATE'])).nullable(),
  }),
  order: z.object({
    field: z.enum(['RELEVANCE', 'POPULARITY', 'RATING', 'UPDATED', 'NAME']),
    direction: z.enum(['ASC', 'DESC']),
  }),
  page: z.object({ direction: z.literal('FORWARD'), count: z.int().min(0).max(1000), cursor: z.null() }),
  collapse: z.boolean(),
  require: z.array(z.string()),
  timeoutMs: z.number().nullable(),
});
const lookUp = z.object({
  registries: z.array(z.string()),
  name: z.string(),
  version: z.string().nullable(),
  registryName: z.string().nullable(),
});
const usedOf = <T extends z.ZodType>(item: T) =>
  z.array(z.object({ key: z.string(), count: z.number().positive(), item }));
const form = z.object({
  version: z.literal(VERSION),
  writtenAtMs: z.number(),
  searches: usedOf(z.object({ registries: z.array(z.string()), request })),
  lookUps: usedOf(lookUp),
});

/** What the file says was used; nothing, where there is no file, or it is damaged. Never throws. */
export function readUsage(path: string): Usage {
  const usage = new Usage();
  const read = form.safeParse(parseFile(path));
  if (!read.success) return usage;
  const { searches, lookUps, writtenAtMs } = read.data;
  const agoMs = Date.now() - writtenAtMs;
  for (const { key, count, item } of searches) usage.searches.note(key, () => item, count, agoMs);
  for (const { key, count, item } of lookUps) usage.lookUps.note(key, () => item, count, agoMs);
  return usage;
}

function parseFile(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return null;
  }
}

/** Writes the file whole, or leaves the one before it. Rejects with the system's error. */
export async function writeUsage(path: string, usage: Usage): Promise<void> {
  const all = <T>(used: TopUsed<T>) => used.list(Number.POSITIVE_INFINITY);
  const text = JSON.stringify({
    ...{ version: VERSION, writtenAtMs: Date.now() },
    ...{ searches: all(usage.searches), lookUps: all(usage.lookUps) },
  });
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const unfinished = `${path}.${randomUUID()}`;
  try {
    await writeFile(unfinished, text, { mode: MODE });
    await rename(unfinished, path);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
}
