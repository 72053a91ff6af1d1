/** The documents that clients may send, from a file: what builds of clients write, or a plain mapping. */
import { hash } from 'node:crypto';
import * as z from 'zod';

const HASH = /^[0-9a-f]{64}$/;

/** Apollo's format, version 1: `generate-persisted-query-manifest` of the client's build writes it. */
const apolloManifest = z.object({
  format: z.literal('apollo-persisted-query-manifest'),
  version: z.literal(1),
  operations: z.array(z.object({ id: z.string(), body: z.string() })),
});
const plainManifest = z.record(z.string(), z.string());

/**
 * The documents by their SHA-256 in lower-case hex. Where the text is no such file, what it must be instead. Each hash must be
 * that of its document: a client that sends the text is let in by the same list.
 */
export function readManifest(text: string): ReadonlyMap<string, string> | string {
  const json = parseJson(text);
  const apollo = apolloManifest.safeParse(json);
  const plain = apollo.success ? null : plainManifest.safeParse(json);
  if (!apollo.success && !plain?.success) {
    return 'the path of a JSON file: an apollo-persisted-query-manifest of version 1, or a mapping of hashes to documents';
  }
  const entries: readonly (readonly [string, string])[] = apollo.success
    ? apollo.data.operations.map(({ id, body }) => [id, body])
    : Object.entries(plain?.data ?? {});
  const documents = new Map<string, string>();
  for (const [given, document] of entries) {
    const id = given.replace(/^sha256:/i, '').toLowerCase();
    if (!HASH.test(id) || hash('sha256', document, 'hex') !== id) {
      return 'the path of a manifest in which each document stands under its own SHA-256, in hexadecimal digits';
    }
    documents.set(id, document);
  }
  return documents.size > 0 ? documents : 'the path of a manifest with at least one document';
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
