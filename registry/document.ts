/**
 * Reads documents that somebody else wrote: YAML or JSON, bounded in size, without alias bombs.
 */
import { type Document, isScalar, parseDocument, visit } from 'yaml';

/** One megabyte: the most that a document may have. */
export const DOCUMENT_BYTES = 1_048_576;
/** A document that repeats itself more often by aliases is an attack on memory, not a template. */
const ALIASES = 20;

export type DocumentReading =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly fault: string };

/** Reads one document. The fault is one sentence without the document's own text. */
export function readDocument(bytes: Uint8Array, kind: 'yaml' | 'json'): DocumentReading {
  if (bytes.byteLength > DOCUMENT_BYTES) {
    return {
      ok: false,
      fault: `a document must have at most ${DOCUMENT_BYTES} bytes; this one has ${bytes.byteLength}`,
    };
  }
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return { ok: false, fault: 'a document must be UTF-8' };
  }
  return kind === 'json' ? readJson(text) : readYaml(text);
}

function readJson(text: string): DocumentReading {
  try {
    return { ok: true, value: JSON.parse(text) };
  } catch {
    return { ok: false, fault: 'the document is not JSON' };
  }
}

function readYaml(text: string): DocumentReading {
  try {
    // What is odd in somebody's document is answered, not written to this program's log; "silent" would read the first of
    // two documents and not say that there is another. The library's own check for unique keys compares each with all
    // before it: a megabyte of keys would take minutes.
    const document = parseDocument(text, { prettyErrors: false, logLevel: 'error', uniqueKeys: false });
    const error = document.errors[0] ?? document.warnings[0];
    if (error !== undefined) return failAt(text, error.pos[0], error.code);
    const duplicateAt = findDuplicateKey(document);
    if (duplicateAt !== null) return failAt(text, duplicateAt, 'DUPLICATE_KEY');
    return { ok: true, value: document.toJS({ maxAliasCount: ALIASES }) };
  } catch (error) {
    // The YAML library reports too many aliases and too deep nesting by throwing.
    return { ok: false, fault: `the document refers to itself too often or is too deep (${nameOf(error)})` };
  }
}

function failAt(text: string, position: number, code: string): DocumentReading {
  const line = text.slice(0, position).split('\n').length;
  return { ok: false, fault: `line ${line} is not YAML as this registry reads it (${code})` };
}

/** Where a key stands that its object already has; null when there is none. */
function findDuplicateKey(document: Document): number | null {
  let position: number | null = null;
  visit(document, {
    Map(_key, map) {
      const seen = new Set<unknown>();
      for (const { key } of map.items) {
        if (!isScalar(key)) continue;
        if (seen.has(key.value)) {
          position = key.range?.[0] ?? 0;
          return visit.BREAK;
        }
        seen.add(key.value);
      }
      return undefined;
    },
  });
  return position;
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : 'unknown';
}
