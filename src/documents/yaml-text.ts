/** Reads YAML that somebody else wrote into plain values: bounded in work, and in one way only. */
import { isAlias, isMap, isScalar, isSeq, Lexer, LineCounter, type Node, parseDocument, type YAMLMap } from 'yaml';

/** Parsing takes up to 10 µs a token, in odd documents. A template of three thousand packages has as many. */
const MAX_TOKENS = 20_000;
const MAX_VALUES = 20_000;
/** A template that repeats itself more often by aliases is an attack on memory. */
const MAX_ALIASES = 20;

export type YamlReading = { readonly value: unknown } | { readonly fault: string };

/** Thrown to leave a document; the message says what it must do instead. */
class Refusal extends Error {}

/**
 * Reads one YAML 1.2 document of plain maps, lists and scalars. The fault says what the document must do, by line, without
 * any of its text. Keys that stand twice, keys that are no texts, tags, merges and directives are refused: readers differ in
 * what they make of these. The YAML library's own conversion is not used: a few nested keys keep it busy for minutes.
 */
export function readYamlText(text: string, maxDepth: number): YamlReading {
  if (hasManyTokens(text)) return { fault: `must have ${MAX_TOKENS} YAML tokens at most` };
  const lines = new LineCounter();
  const lineOf = (offset: number | undefined) => (offset === undefined ? 1 : Math.max(1, lines.linePos(offset).line));
  try {
    // Its own check of keys compares each with all before it, and its pretty messages quote the text.
    const options = { prettyErrors: false, uniqueKeys: false, version: '1.2' } as const;
    const parsed = parseDocument(text, { ...options, lineCounter: lines });
    const problem = parsed.errors[0] ?? parsed.warnings[0];
    if (problem !== undefined) return { fault: `must be one YAML document; line ${lineOf(problem.pos[0])} is not` };
    if (parsed.directives?.yaml.explicit === true) return { fault: 'must be YAML 1.2 without directives' };
    return { value: parsed.contents === null ? null : new TreeReader(lineOf, maxDepth).read(parsed.contents, 0) };
  } catch (error) {
    if (error instanceof Refusal) return { fault: error.message };
    // The library answers nesting that is too deep for it with an error of its own.
    if (error instanceof RangeError || error instanceof ReferenceError) {
      return { fault: `must be nested ${maxDepth} levels deep at most` };
    }
    throw error;
  }
}

function hasManyTokens(text: string): boolean {
  let count = 0;
  for (const _ of new Lexer().lex(text)) {
    count += 1;
    if (count > MAX_TOKENS) return true;
  }
  return false;
}

class TreeReader {
  readonly #lineOf: (offset: number | undefined) => number;
  readonly #maxDepth: number;
  /** The node that each anchor names by now. */
  readonly #anchors = new Map<string, Node>();
  #values = 0;
  #aliases = 0;

  constructor(lineOf: (offset: number | undefined) => number, maxDepth: number) {
    this.#lineOf = lineOf;
    this.#maxDepth = maxDepth;
  }

  read(node: unknown, depth: number): unknown {
    this.#values += 1;
    if (this.#values > MAX_VALUES) throw new Refusal(`must have ${MAX_VALUES} values at most, its aliases followed`);
    if (depth > this.#maxDepth) throw new Refusal(`must be nested ${this.#maxDepth} levels deep at most`);
    if (isAlias(node)) return this.#readAlias(node.source, depth);
    if (!isMap(node) && !isSeq(node) && !isScalar(node)) return null;
    if (node.anchor !== undefined) this.#anchors.set(node.anchor, node);
    if (isMap(node)) return this.#readMap(node, depth);
    if (isSeq(node)) return node.items.map((item) => this.read(item, depth + 1));
    return node.value;
  }

  #readAlias(anchor: string, depth: number): unknown {
    this.#aliases += 1;
    if (this.#aliases > MAX_ALIASES) throw new Refusal(`must have ${MAX_ALIASES} aliases at most`);
    // An alias within its own anchor ends at the limit of depth.
    return this.read(this.#anchors.get(anchor), depth + 1);
  }

  #readMap(map: YAMLMap, depth: number): object {
    const members: Record<string, unknown> = {};
    for (const { key, value } of map.items) {
      const line = this.#lineOf(isScalar(key) ? key.range?.[0] : map.range?.[0]);
      if (!isScalar(key)) throw new Refusal(`must have plain texts as keys; line ${line} has another one`);
      if (key.anchor !== undefined) this.#anchors.set(key.anchor, key);
      const name = String(key.value);
      if (name === '<<') throw new Refusal(`must not merge maps; line ${line} does`);
      if (Object.hasOwn(members, name)) throw new Refusal(`must have each key once; line ${line} repeats one`);
      // Defined, not assigned: a key named __proto__ is a key like any other.
      const member = { value: this.read(value, depth + 1), enumerable: true, writable: true, configurable: true };
      Object.defineProperty(members, name, member);
    }
    return members;
  }
}
