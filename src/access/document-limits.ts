/**
 * Bounds on a GraphQL document that can be told from its text alone. They are checked before the document is validated,
 * since some of validation's rules take time that grows with the square of what they look at.
 */
import {
  type DefinitionNode,
  type DocumentNode,
  type FragmentDefinitionNode,
  Kind,
  Lexer,
  type OperationDefinitionNode,
  type OperationTypeNode,
  parse,
  type SelectionNode,
  type SelectionSetNode,
  Source,
  TokenKind,
} from 'graphql';
import { LRUCache } from 'lru-cache';
import type { DocumentLimits } from '../config/config.ts';
import { QueryTooComplex } from './errors.ts';

/** Brackets within brackets of any kind: keeps the parser, which calls itself for each, far from the end of its stack. */
const MAX_NESTING = 100;
/** GraphQL's own introspection query is 14 deep in GraphiQL, and calls no registry: it has a bound of its own. */
const MAX_INTROSPECTION_DEPTH = 20;

/** Documents that passed, by their text. Small ones only, so that the memory is bounded: 500 of 20,000 characters. */
const REMEMBERED_DOCUMENTS = 500;
const MAX_REMEMBERED_CHARACTERS = 20_000;

/** What is known of a document that passed. */
export interface DocumentFacts {
  /** The operations in it, by name; the empty name for an anonymous one. */
  readonly operations: ReadonlyMap<string, OperationTypeNode>;
}

const SYNTAX_ERROR: DocumentFacts = Object.freeze({ operations: new Map() });

/**
 * Makes the check. It takes a document's text and throws QueryTooComplex when the document is too large, too deep, or has
 * too many fields, aliases, directives or root fields. A text that is no GraphQL passes: the parser's own error says
 * more. So do circular fragments, which validation refuses.
 */
export function createDocumentCheck(limits: DocumentLimits): (text: string) => DocumentFacts {
  const passed = new LRUCache<string, DocumentFacts>({ max: REMEMBERED_DOCUMENTS });
  return (text) => {
    const known = passed.get(text);
    if (known !== undefined) return known;
    const facts = checkDocument(text, limits);
    if (text.length <= MAX_REMEMBERED_CHARACTERS) passed.set(text, facts);
    return facts;
  };
}

function checkDocument(text: string, limits: DocumentLimits): DocumentFacts {
  if (!checkTokens(text, limits.tokens)) return SYNTAX_ERROR;
  const document = parseDocument(text);
  if (document === null) return SYNTAX_ERROR;
  checkCounts(document, limits);
  checkDepth(document, limits);
  const operations = document.definitions.filter((definition) => definition.kind === Kind.OPERATION_DEFINITION);
  return { operations: new Map(operations.map((operation) => [operation.name?.value ?? '', operation.operation])) };
}

/** Counts tokens and open brackets without building anything. Gives false where the text is no GraphQL. */
function checkTokens(text: string, maxTokens: number): boolean {
  const lexer = new Lexer(new Source(text));
  let tokens = 0;
  let nesting = 0;
  try {
    for (let token = lexer.advance(); token.kind !== TokenKind.EOF; token = lexer.advance()) {
      tokens += 1;
      if (token.kind === TokenKind.BRACE_L || token.kind === TokenKind.BRACKET_L || token.kind === TokenKind.PAREN_L)
        nesting += 1;
      else if (
        token.kind === TokenKind.BRACE_R ||
        token.kind === TokenKind.BRACKET_R ||
        token.kind === TokenKind.PAREN_R
      )
        nesting -= 1;
      checkCount('tokens', tokens, maxTokens);
      checkCount('brackets within brackets', nesting, MAX_NESTING);
    }
  } catch (error) {
    if (error instanceof QueryTooComplex) throw error;
    return false;
  }
  return true;
}

function parseDocument(text: string): DocumentNode | null {
  try {
    return parse(text, { noLocation: true });
  } catch {
    return null;
  }
}

function checkCount(what: string, count: number, most: number): void {
  if (count <= most) return;
  throw new QueryTooComplex(
    `A document must have ${most} ${what} at most; this one has more. Split it into several requests.`,
  );
}

interface Counts {
  fields: number;
  aliases: number;
  directives: number;
}

function checkCounts(document: DocumentNode, limits: DocumentLimits): void {
  const counts: Counts = { fields: 0, aliases: 0, directives: 0 };
  for (const definition of document.definitions) {
    if (!isExecutable(definition)) continue;
    counts.directives += definition.directives?.length ?? 0;
    if (definition.kind === Kind.OPERATION_DEFINITION) {
      for (const variable of definition.variableDefinitions ?? [])
        counts.directives += variable.directives?.length ?? 0;
    }
    countSelections(definition.selectionSet, counts);
  }
  checkCount('fields', counts.fields, limits.fields);
  checkCount('aliases', counts.aliases, limits.aliases);
  checkCount('directives', counts.directives, limits.directives);
}

function isExecutable(definition: DefinitionNode): definition is OperationDefinitionNode | FragmentDefinitionNode {
  return definition.kind === Kind.OPERATION_DEFINITION || definition.kind === Kind.FRAGMENT_DEFINITION;
}

/** Counts as written: fragments where they are defined, not where they are spread. */
function countSelections(selectionSet: SelectionSetNode, counts: Counts): void {
  for (const selection of selectionSet.selections) {
    counts.directives += selection.directives?.length ?? 0;
    if (selection.kind === Kind.FIELD) {
      counts.fields += 1;
      if (selection.alias !== undefined) counts.aliases += 1;
    }
    if (selection.kind !== Kind.FRAGMENT_SPREAD && selection.selectionSet !== undefined) {
      countSelections(selection.selectionSet, counts);
    }
  }
}

interface Extent {
  readonly depth: number;
  readonly introspectionDepth: number;
  /** Fields at the top, fragments expanded. */
  readonly width: number;
}

const NOTHING: Extent = { depth: 0, introspectionDepth: 0, width: 0 };

function checkDepth(document: DocumentNode, limits: DocumentLimits): void {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  }
  // Each fragment is measured once, however often it is spread: a chain of doubling fragments costs its length, not its
  // expansion. One that is being measured already is circular, and counts as nothing.
  const measured = new Map<string, Extent>();

  function measureSelection(selection: SelectionNode): Extent {
    switch (selection.kind) {
      case Kind.FIELD: {
        const inner = selection.selectionSet === undefined ? NOTHING : measureSet(selection.selectionSet);
        const isIntrospection = selection.name.value.startsWith('__');
        return isIntrospection
          ? { depth: 0, introspectionDepth: 1 + Math.max(inner.depth, inner.introspectionDepth), width: 1 }
          : { depth: 1 + inner.depth, introspectionDepth: inner.introspectionDepth, width: 1 };
      }
      case Kind.INLINE_FRAGMENT:
        return measureSet(selection.selectionSet);
      case Kind.FRAGMENT_SPREAD: {
        const name = selection.name.value;
        const known = measured.get(name);
        if (known !== undefined) return known;
        measured.set(name, NOTHING);
        const fragment = fragments.get(name);
        const extent = fragment === undefined ? NOTHING : measureSet(fragment.selectionSet);
        measured.set(name, extent);
        return extent;
      }
    }
  }

  function measureSet(selectionSet: SelectionSetNode): Extent {
    let depth = 0;
    let introspectionDepth = 0;
    let width = 0;
    for (const selection of selectionSet.selections) {
      const extent = measureSelection(selection);
      depth = Math.max(depth, extent.depth);
      introspectionDepth = Math.max(introspectionDepth, extent.introspectionDepth);
      width += extent.width;
    }
    return { depth, introspectionDepth, width };
  }

  for (const definition of document.definitions) {
    // A fragment alone does not tell where it is spread; validation refuses those that are spread nowhere.
    if (definition.kind !== Kind.OPERATION_DEFINITION) continue;
    const extent = measureSet(definition.selectionSet);
    checkCount('fields within fields', extent.depth, limits.depth);
    checkCount('introspection fields within fields', extent.introspectionDepth, MAX_INTROSPECTION_DEPTH);
    checkCount('root fields', extent.width, limits.rootFields);
  }
}
