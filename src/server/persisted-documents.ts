/**
 * Documents that clients name by their hash instead of sending them: Apollo's automatic persisted queries
 * (`extensions.persistedQuery`), and `documentId` of GraphQL over HTTP's appendix on persisted documents. A request that
 * is so short can be a GET, and what answers a GET can be kept on the way.
 */
import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { Forbidden } from '../access/errors.ts';
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

/** The documents that a configuration names. */
export class ListedDocuments {
  /** No other is executed. */
  readonly isClosed: boolean;
  readonly #texts: ReadonlyMap<string, string>;

  /** `documents`: by their SHA-256 in lower-case hex. */
  constructor(list: { readonly documents: Readonly<Record<string, string>>; readonly required: boolean }) {
    this.isClosed = list.required;
    this.#texts = new Map(Object.entries(list.documents));
  }

  find(documentHash: string): string | undefined {
    return this.#texts.get(documentHash);
  }

  /** A text that is sent must be one of the list, whatever hash came with it. Throws Forbidden. */
  demand(query: string | null, documentHash: string | null): string {
    const listed = this.find(query === null ? (documentHash ?? '') : hash('sha256', query, 'hex'));
    if (listed !== undefined) return listed;
    throw new Forbidden(
      'This gateway executes the documents of its list alone; what was sent is none of them. Ask whoever runs it to add the document.',
    );
  }
}

export class PersistedDocuments {
  readonly #texts = new LRUCache<string, string>({
    maxSize: MAX_CHARACTERS,
    maxEntrySize: MAX_DOCUMENT_CHARACTERS,
    sizeCalculation: (text) => Math.max(1, text.length),
  });

  /**
   * The request with the text that it names. Throws Forbidden where only listed documents are
   * executed and this is none, PersistedQueryNotFound where the text is not known, BadUserInput where the hash is of another.
   */
  resolve(
    { query, documentHash, tellsCost: _, ...parameters }: SentParameters,
    listed: ListedDocuments | null,
  ): GraphqlParameters {
    if (listed?.isClosed) return { query: listed.demand(query, documentHash), ...parameters };
    if (query !== null) {
      if (documentHash !== null && hash('sha256', query, 'hex') !== documentHash) {
        throw new BadUserInput(
          'extensions.persistedQuery.sha256Hash',
          '"extensions.persistedQuery.sha256Hash" must be the SHA-256 of "query"; it is of something else.',
        );
      }
      return { query, ...parameters };
    }
    const known = documentHash === null ? undefined : (listed?.find(documentHash) ?? this.#texts.get(documentHash));
    if (known === undefined) throw new PersistedQueryNotFound();
    return { query: known, ...parameters };
  }

  /** Remembers a text that was sent with its hash and is in order. */
  remember({ query, documentHash }: SentParameters): void {
    if (query !== null && documentHash !== null) this.#texts.set(documentHash, query);
  }
}
