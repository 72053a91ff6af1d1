/** Answers as a registry would have given them, for tests of the cache alone. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AnswerCache, type AnswerCacheOptions } from '../../src/cache/answer-cache.ts';
import type { NewAnswer } from '../../src/cache/cached-answer.ts';
import type { SqliteStore } from '../../src/cache/sqlite-store.ts';
import { NO_CRITERIA } from '../../src/domain/search.ts';

export const HOUR_MS = 3_600_000;

/** A window of browsing whose rows have these names; its body is about `padding` bytes long. */
export function makeAnswer(
  cache: AnswerCache,
  key: string,
  { names = ['one'], padding = 0, ...rest }: Partial<NewAnswer> & { names?: readonly string[]; padding?: number } = {},
): NewAnswer {
  const nowMs = Date.now();
  const value = { rows: names.map((name) => ({ name })), padding: 'x'.repeat(padding) };
  return {
    key,
    registry: 'r',
    subject: { layer: 'SEARCH', query: '', criteria: NO_CRITERIA, names: null },
    head: {
      isAbsent: false,
      etag: '"1"',
      mediaType: 'application/json',
      reprDigest: null,
      askedAtMs: nowMs - 5,
      fetchedAtMs: nowMs,
      freshUntilMs: nowMs + HOUR_MS,
      reuseUntilMs: nowMs + HOUR_MS,
      standInUntilMs: nowMs + HOUR_MS,
      keepUntilMs: nowMs + HOUR_MS,
      tookMs: 5,
    },
    bytes: Buffer.from(JSON.stringify(value)),
    value,
    parse: parseAnswer,
    isInUse: false,
    epoch: cache.epoch,
    ...rest,
  };
}

const parseAnswer: NewAnswer['parse'] = (body) => JSON.parse(body.bytes.toString('utf8'));

/** The value under a key, from memory or from the file; undefined: there is none. */
export async function findValue(cache: AnswerCache, key: string): Promise<unknown> {
  const answer = cache.get(key) ?? (cache.mayLoad(key) ? await cache.load(key) : undefined);
  return answer === undefined ? undefined : cache.read(answer, parseAnswer);
}

/** A folder for a cache's file, and what the cache logs. */
export class CacheFolder implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'cache-'));
  readonly file = join(this.path, 'data', 'cache.sqlite');
  readonly logged: string[] = [];
  readonly log = { warn: (_detail: object, message: string) => void this.logged.push(message) };

  open(options: Partial<AnswerCacheOptions> & { readonly maxBytes?: number } = {}): AnswerCache {
    const disk = { path: this.file, maxBytes: options.maxBytes ?? 16_000_000 };
    return new AnswerCache({ memoryBytes: 16_000_000, disk, log: this.log, ...options });
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

export function keysOf(store: SqliteStore): string[] {
  return store.listKeys(-1, 1_000).map(({ key }) => key);
}

/** Waits for what the event loop brings. */
export async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setImmediate(resolve));
}
