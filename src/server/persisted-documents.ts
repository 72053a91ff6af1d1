/**
 * Documents that clients name by their hash instead of sending them: Apollo's automatic persisted queries
 * (`extensions.persistedQuery`), and `documentId` of GraphQL over HTTP's appendix on persisted documents. A request that
 * is so short can be a GET, and what answers a GET can be kept on the way.
 */
import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { BadUserInput } from '../domain/errors.ts';
import type { GraphqlParameters, SentParameters } from './graphql-request.ts';

/** Of all texts together, a byte or two for each character. */
const MAX_CHARACTERS = 8_000_000;
const MAX_DOCUMENT_CHARACTERS = 100_000;

/** The message is what clients of that protocol look for; they send the text then. */
export class PersistedQueryNotFound extends Error {
  override readonly name = 'PersistedQueryNotFound';

  constructor() {
    super('PersistedQueryNotFound');
  }
}

export class PersistedDocuments {
  readonly #texts = new LRUCache<string, string>({
    maxSize: MAX_CHARACTERS,
    maxEntrySize: MAX_DOCUMENT_CHARACTERS,
    sizeCalculation: (text) => Math.max(1, text.length),
  });

  /**
   * The request with the text that it names. Throws PersistedQueryNotFound where the text is not known, BadUserInput where
   * the hash is of another one.
   */
  resolve({ query, documentHash, tellsCost: _, ...parameters }: SentParameters): GraphqlParameters {
    if (query !== null) {
      if (documentHash !== null && hash('sha256', query, 'hex') !== documentHash) {
        throw new BadUserInput(
          'extensions.persistedQuery.sha256Hash',
          '"extensions.persistedQuery.sha256Hash" must be the SHA-256 of "query"; it is of something else.',
        );
      }
      return { query, ...parameters };
    }
    const known = documentHash === null ? undefined : this.#texts.get(documentHash);
    if (known === undefined) throw new PersistedQueryNotFound();
    return { query: known, ...parameters };
  }

  /** Remembers a text that was sent with its hash and is in order. */
  remember({ query, documentHash }: SentParameters): void {
    if (query !== null && documentHash !== null) this.#texts.set(documentHash, query);
  }
}
