/** What is hashed of an event, and how. */
import { hash } from 'node:crypto';
import type { AuditEntry, AuditEvent, AuditOrigin } from '../domain/audit.ts';

/** An event before it has its place in the chain. */
export type UnchainedEvent = Omit<AuditEvent, 'sequence' | 'hash' | 'previousHash'>;

/** Longer values are cut: names of templates and versions are far shorter. In UTF-16 units. */
const MAX_TEXT_LENGTH = 1_000;

/** An entry with everything filled in. What no database could keep unchanged (halves of characters, NUL) is replaced. */
export function completeEvent(
  entry: AuditEntry,
  { actor, requestId }: AuditOrigin,
  atMs: number,
  occurrences: number,
): UnchainedEvent {
  return {
    atMs,
    actor: clean(actor),
    action: entry.action,
    registryName: cleanOrNull(entry.registryName),
    template: cleanOrNull(entry.template),
    version: cleanOrNull(entry.version),
    outcome: entry.outcome,
    requestId: cleanOrNull(requestId),
    detail: cleanOrNull(entry.detail),
    occurrences,
  };
}

function cleanOrNull(text: string | null | undefined): string | null {
  return text === null || text === undefined ? null : clean(text);
}

/** Cut before it is mended: a cut can go through a character. */
function clean(text: string): string {
  return text.slice(0, MAX_TEXT_LENGTH).replaceAll('\u0000', '\ufffd').toWellFormed();
}

/** Puts the event behind the one that `previous` tells of. */
export function chainEvent(
  event: UnchainedEvent,
  previous: { readonly sequence: number; readonly hash: string },
): AuditEvent {
  const chained = { ...event, sequence: previous.sequence + 1, previousHash: previous.hash };
  return { ...chained, hash: hashEvent(chained) };
}

/**
 * SHA-256 of the event's canonical JSON (RFC 8785: members by their names' UTF-16 units, no white space; texts and whole
 * numbers as JSON.stringify writes them). The names are those of the schema, so that an exported event can be checked by any
 * program.
 */
export function hashEvent(event: Omit<AuditEvent, 'hash'>): string {
  return hash('sha256', canonicalize(toMembers(event)), 'hex');
}

/** What is hashed, in its order. */
export function toMembers(event: Omit<AuditEvent, 'hash'>): Readonly<Record<string, string | number | null>> {
  return {
    action: event.action,
    actor: event.actor,
    at: event.atMs,
    detail: event.detail,
    occurrences: event.occurrences,
    outcome: event.outcome,
    previousHash: event.previousHash,
    registryName: event.registryName,
    requestId: event.requestId,
    sequence: event.sequence,
    template: event.template,
    version: event.version,
  };
}

/** Canonical JSON of an object of texts, whole numbers and nulls. */
export function canonicalize(members: Readonly<Record<string, string | number | null>>): string {
  const sorted = Object.keys(members).sort();
  return `{${sorted.map((name) => `${JSON.stringify(name)}:${JSON.stringify(members[name])}`).join(',')}}`;
}
