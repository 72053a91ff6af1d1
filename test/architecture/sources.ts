/** The program's own files and what they import, as their import lines say. */
import { readdirSync, readFileSync } from 'node:fs';

const ROOT = new URL('../../', import.meta.url);
const FOLDERS = ['src', 'resolvers', 'datasources', 'registry', 'bin'];

export interface SourceFile {
  /** From the project's root: "src/gateway.ts". */
  readonly path: string;
  /** Without its comments. */
  readonly code: string;
  /** Files of the project as paths from its root; packages and built-in modules by name. */
  readonly imports: readonly string[];
}

/** Of a module of Node's own, by its name. */
export const BUILTIN_MODULE = /\bprocess\.getBuiltinModule\('(node:[^']+)'\)/g;
/** Static, dynamic and re-exporting imports, those of types too. */
const IMPORT = new RegExp(
  `\\bfrom\\s*'([^']+)'|\\bimport\\s*'([^']+)'|\\bimport\\s*\\(\\s*'([^']+)'|${BUILTIN_MODULE.source}`,
  'g',
);
const COMMENT = /\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm;

/** Every file of the program, tests and benchmarks aside. */
export function readSources(): readonly SourceFile[] {
  return FOLDERS.flatMap((folder) =>
    readdirSync(new URL(folder, ROOT), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(ts|js)$/.test(name))
      .map((name) => readSource(`${folder}/${name}`)),
  );
}

function readSource(path: string): SourceFile {
  const code = readFileSync(new URL(path, ROOT), 'utf8').replaceAll(COMMENT, '');
  return { path, code, imports: findImports(path, code) };
}

/** What a file at `path` with that code imports; each name once. */
export function findImports(path: string, code: string): readonly string[] {
  const names = [...code.matchAll(IMPORT)].map((match) => match.slice(1).find((name) => name !== undefined) ?? '');
  return [...new Set(names.map((name) => (name.startsWith('.') ? resolvePath(path, name) : name)))];
}

function resolvePath(from: string, name: string): string {
  return new URL(name, new URL(from, 'file:///')).pathname.slice(1);
}

/** The path of each circle among `edges`, from a node back to itself; none when there is none. */
export function findCircles(edges: ReadonlyMap<string, ReadonlySet<string>>): readonly string[] {
  const circles: string[] = [];
  const done = new Set<string>();
  const visit = (node: string, trail: readonly string[]): void => {
    const at = trail.indexOf(node);
    if (at >= 0) circles.push([...trail.slice(at), node].join(' -> '));
    if (at >= 0 || done.has(node)) return;
    for (const next of edges.get(node) ?? []) visit(next, [...trail, node]);
    done.add(node);
  };
  for (const node of edges.keys()) visit(node, []);
  return circles;
}
