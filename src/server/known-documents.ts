/** Documents that passed their checks, and what there is to know of their operations. */
import { type DocumentNode, type GraphQLSchema, Kind, type OperationDefinitionNode, parse } from 'graphql';
import { LRUCache } from 'lru-cache';
import type { DocumentFacts } from '../access/document-limits.ts';
import { type OperationFacts, readOperationFacts } from './operation-facts.ts';

/** As many as the check itself remembers, and as long (src/access/document-limits.ts). */
const REMEMBERED_DOCUMENTS = 500;
const MAX_REMEMBERED_CHARACTERS = 20_000;

export interface KnownDocument {
  /** Stands for the text in keys; null for one that is too long to be remembered. */
  readonly id: number | null;
  readonly facts: DocumentFacts;
  /** By the operation's name, the empty one for one without; absent where there is nothing to be kept. */
  readonly operations: ReadonlyMap<string, OperationFacts>;
}

/** Gives a document by its text. Throws what `checkDocument` throws. */
export type KnowDocument = (text: string) => KnownDocument;

/** Remembers what is known of the documents that were asked for last. `checkDocument` throws for those that are refused. */
export function createKnownDocuments(
  schema: GraphQLSchema,
  checkDocument: (text: string) => DocumentFacts,
): KnowDocument {
  const known = new LRUCache<string, KnownDocument>({ max: REMEMBERED_DOCUMENTS });
  let lastId = 0;
  return (text) => {
    const found = known.get(text);
    if (found !== undefined) return found;
    const facts = checkDocument(text);
    if (text.length > MAX_REMEMBERED_CHARACTERS || facts.operations.size === 0)
      return { id: null, facts, operations: new Map() };
    lastId += 1;
    const document = { id: lastId, facts, operations: readOperations(schema, parse(text, { noLocation: true })) };
    known.set(text, document);
    return document;
  };
}

/** The facts of the operation that is meant; null: of one that is not there, or of which nothing is kept. */
export function findOperation({ operations }: KnownDocument, operationName: string | undefined): OperationFacts | null {
  if (operationName !== undefined) return operations.get(operationName) ?? null;
  if (operations.size !== 1) return null;
  for (const facts of operations.values()) return facts;
  return null;
}

function readOperations(schema: GraphQLSchema, document: DocumentNode): ReadonlyMap<string, OperationFacts> {
  const operations = document.definitions.filter(
    (definition): definition is OperationDefinitionNode => definition.kind === Kind.OPERATION_DEFINITION,
  );
  return new Map(
    operations.map((operation) => [operation.name?.value ?? '', readOperationFacts(schema, document, operation)]),
  );
}
