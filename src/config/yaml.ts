/** Reads the configuration's YAML into plain values with their places, and refuses whatever could be read in two ways. */
import type { Node, Pair, YAMLError, YAMLMap } from 'yaml';
import { isAlias, isMap, isScalar, isSeq, Lexer, LineCounter, parseDocument } from 'yaml';
import type { Position } from './document.ts';
import { placeId, SourceDocument } from './document.ts';
import type { Environment } from './environment.ts';
import type { ConfigFault, KeyPath } from './faults.ts';
import { formatKeyPath } from './faults.ts';
import { interpolateText } from './interpolate.ts';

/**
 * A hundred registries with every key take half of it. Parsing costs up to 10 µs a token, in some documents: a megabyte
 * of commas would keep the start waiting for eight seconds.
 */
const MAX_TOKENS = 80_000;
/** What a document may grow to by aliases, and how many of them there may be. */
const MAX_VALUES = 50_000;
const MAX_ALIASES = 100;
/** The definition is six levels deep. */
const MAX_DEPTH = 32;
/** More than a reader takes in: after the first, they tend to be its consequences. */
const MAX_SYNTAX_FAULTS = 20;

/** The document and what is wrong with it so far, apart from what could not be filled in (`SourceDocument.unfilled`); null: no document, because it is no YAML of the kind we read. */
export interface YamlReading {
  readonly document: SourceDocument | null;
  readonly faults: readonly ConfigFault[];
}

/**
 * Reads one YAML 1.2 document: no second one, no duplicate keys, no tags of its own. References are filled in, in texts
 * only, after parsing: no variable can change the structure.
 *
 * @param source what faults call the file. @param folder where relative paths start.
 */
export function readYaml(text: string, source: string, folder: string, environment: Environment): YamlReading {
  const refuse = (expected: string): YamlReading => ({
    document: null,
    faults: [{ source, line: null, column: null, key: '', expected, given: null, suggestion: null }],
  });
  if (countTokens(text) > MAX_TOKENS) return refuse(`a configuration: this has more than ${MAX_TOKENS} YAML tokens`);
  const lines = new LineCounter();
  const parsed = parseDocument(text, {
    lineCounter: lines,
    // The parser's own messages would quote the line, with the secrets in it; its own check of keys is quadratic.
    prettyErrors: false,
    uniqueKeys: false,
    version: '1.2',
  });
  const syntax = [...parsed.errors, ...parsed.warnings];
  if (syntax.length > 0) return { document: null, faults: explainSyntax(syntax, source, lines) };
  const reader = new TreeReader(new SourceDocument(source, folder, null), lines, environment);
  return reader.read(parsed.contents);
}

function countTokens(text: string): number {
  let count = 0;
  for (const _ of new Lexer().lex(text)) {
    count++;
    if (count > MAX_TOKENS) break;
  }
  return count;
}

/** The first fault of each line, of the first few lines: the rest follows from those. */
function explainSyntax(problems: readonly YAMLError[], source: string, lines: LineCounter): ConfigFault[] {
  const byLine = new Map<number, ConfigFault>();
  for (const problem of problems.slice(0, MAX_SYNTAX_FAULTS)) {
    const { line, col: column } = lines.linePos(problem.pos[0]);
    if (byLine.has(line)) continue;
    const expected = `one YAML document (${describeProblem(problem.code, problem.message)})`;
    byLine.set(line, { source, line, column, key: '', expected, given: null, suggestion: null });
  }
  return [...byLine.values()];
}

function describeProblem(code: string, message: string): string {
  if (code === 'MULTIPLE_DOCS') return 'a second one begins here';
  if (code === 'RESOURCE_EXHAUSTION') return 'it is nested too deeply';
  // Some messages end in a quotation of the source, which may be a secret.
  const sentence = message.replace(/:? ".*$/s, '').replace(/\s+/g, ' ');
  return sentence.charAt(0).toLowerCase() + sentence.slice(1);
}

/** Thrown to leave a document whose aliases would not end. */
class TooLarge extends Error {}

class TreeReader {
  private readonly document: SourceDocument;
  private readonly lines: LineCounter;
  private readonly environment: Environment;
  private readonly faults: ConfigFault[] = [];
  /** The node that each anchor names by now: an anchor may be given again, and holds from there on. */
  private readonly anchors = new Map<string, Node>();
  private values = 0;
  private aliases = 0;

  constructor(document: SourceDocument, lines: LineCounter, environment: Environment) {
    this.document = document;
    this.lines = lines;
    this.environment = environment;
  }

  read(contents: Node | null): YamlReading {
    try {
      this.document.tree = contents === null ? null : this.readNode(contents, [], this.positionOf(contents, null));
    } catch (error) {
      if (!(error instanceof TooLarge)) throw error;
      this.complain([], error.message);
      return { document: null, faults: this.faults };
    }
    return { document: this.document, faults: this.faults };
  }

  private readNode(node: Node, path: KeyPath, key: Position): unknown {
    this.values++;
    if (this.values > MAX_VALUES)
      throw new TooLarge(`a configuration: its aliases make more than ${MAX_VALUES} values`);
    if (path.length > MAX_DEPTH) throw new TooLarge(`a configuration: it is nested more than ${MAX_DEPTH} levels deep`);
    const value = isMap(node) || isSeq(node) || isEmpty(node) ? key : this.positionOf(node, key);
    this.document.places.set(placeId(path), { key, value });
    if (isAlias(node)) return this.readAlias(node.source, path, key);
    if (node.anchor !== undefined) this.anchors.set(node.anchor, node);
    if (isMap(node)) return this.readMapping(node, path);
    if (isSeq(node)) {
      return node.items.map((item, index) => {
        const entry = asNode(item);
        return entry === null ? null : this.readNode(entry, [...path, index], this.positionOf(entry, key));
      });
    }
    if (!isScalar(node)) return null;
    return typeof node.value === 'string' ? this.fillIn(node.value, path) : node.value;
  }

  private readAlias(anchor: string, path: KeyPath, key: Position): unknown {
    this.aliases++;
    if (this.aliases > MAX_ALIASES) throw new TooLarge(`a configuration: it has more than ${MAX_ALIASES} aliases`);
    const target = this.anchors.get(anchor);
    // An alias within its own anchor ends at the limit of depth.
    if (target !== undefined) return this.readNode(target, path, key);
    this.complain(path, 'an alias of an anchor that stands before it');
    this.document.unresolved.add(placeId(path));
    return null;
  }

  private readMapping(node: YAMLMap, path: KeyPath): object {
    const mapping = {};
    for (const pair of node.items) {
      const name = this.readKey(pair, path);
      if (name === null) continue;
      const child = [...path, name];
      if (Object.hasOwn(mapping, name)) {
        this.complain(child, 'given once', this.positionOf(asNode(pair.key), null));
        continue;
      }
      const position = this.positionOf(asNode(pair.key), null);
      const valueNode = asNode(pair.value);
      this.document.places.set(placeId(child), { key: position, value: position });
      const value = valueNode === null ? null : this.readNode(valueNode, child, position);
      // Defined, not assigned: a key named __proto__ is a key like any other, and unknown like any other.
      Object.defineProperty(mapping, name, { value, enumerable: true, writable: true, configurable: true });
    }
    return mapping;
  }

  private readKey(pair: Pair, path: KeyPath): string | null {
    const node = asNode(pair.key);
    if (node !== null && isScalar(node)) {
      if (node.anchor !== undefined) this.anchors.set(node.anchor, node);
      return String(node.value);
    }
    this.complain(path, 'a mapping whose keys are plain texts', this.positionOf(node, null));
    return null;
  }

  private fillIn(text: string, path: KeyPath): string {
    if (!text.includes('${')) return text;
    const { text: filled, variables, files, faults } = interpolateText(text, this.environment, this.document.folder);
    for (const variable of variables) this.document.variables.add(variable);
    for (const file of files) this.document.files.add(file);
    this.document.interpolated.set(placeId(path), text);
    if (faults.length > 0) {
      this.document.unresolved.add(placeId(path));
      this.document.unfilled.set(placeId(path), { path, faults: faults.map((each) => this.describe(path, each)) });
    }
    return filled;
  }

  private positionOf(node: Node | null, otherwise: Position | null): Position {
    const offset = node?.range?.[0];
    if (offset === undefined) return otherwise ?? { line: 1, column: 1 };
    const { line, col } = this.lines.linePos(offset);
    return { line, column: col };
  }

  private complain(path: KeyPath, expected: string, position?: Position): void {
    this.faults.push(this.describe(path, expected, position));
  }

  private describe(path: KeyPath, expected: string, position?: Position): ConfigFault {
    const place = this.document.locate(path);
    const { line, column } = position ?? place;
    const { source } = place;
    return { source, line, column, key: formatKeyPath(path), expected, given: null, suggestion: null };
  }
}

/** A value that was left out stands nowhere. */
function isEmpty(node: Node): boolean {
  return isScalar(node) && node.value === null && node.source === '';
}

/** The parser types the members of collections as unknown; what it parsed from a text are nodes. */
function asNode(value: unknown): Node | null {
  return isScalar(value) || isMap(value) || isSeq(value) || isAlias(value) ? value : null;
}
