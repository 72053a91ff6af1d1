import { isBuiltin } from 'node:module';
import { describe, expect, it } from 'vitest';
import { REGISTRY_KINDS } from '../../src/config/config.ts';
import { BUILTIN_MODULE, findCircles, findImports, readSources, type SourceFile } from './sources.ts';

/**
 * Who may import whom (ARCHITECTURE.md says why). A file belongs to the longest area that its path begins with, and may
 * import its own area and what stands here. "node:*" stands for every built-in module.
 */
const AREAS: readonly { readonly area: string; readonly promise: string; readonly may: readonly string[] }[] = [
  { area: 'src/domain/', promise: 'imports nothing at all', may: [] },
  {
    area: 'src/documents/',
    promise: 'reads and judges the text of documents, and calls nobody',
    may: ['src/domain/', 'node:crypto', 'yaml'],
  },
  {
    area: 'src/federation/',
    promise: 'imports the domain and libraries that only compute: no HTTP, no GraphQL, no disk',
    may: ['src/domain/', 'node:crypto', 'dataloader', 'fastest-levenshtein', 'lru-cache', 'semver'],
  },
  {
    area: 'resolvers/',
    promise:
      'know the domain, what the federation answers and how a document is read, never a datasource or an HTTP library',
    may: ['src/domain/', 'src/documents/read-document.ts', 'src/federation/answers.ts', 'node:buffer', 'graphql'],
  },
  {
    area: 'datasources/http/',
    promise: 'knows no GraphQL, no kind of registry, no federation and no metrics',
    may: [
      ...['src/domain/', 'src/config/config.ts', 'node:*'],
      ...['undici', 'opossum', 'bottleneck', 'http-message-sig', 'sshpk'],
    ],
  },
  {
    area: 'datasources/rest-registry.ts',
    promise: 'builds every kind of registry without knowing one',
    may: [
      ...['datasources/answer-reader.ts', 'datasources/askable-names.ts', 'datasources/registry-definition.ts'],
      ...['datasources/http/', 'src/domain/', 'src/config/config.ts'],
    ],
  },
  {
    area: 'datasources/registry-definition.ts',
    promise: 'says what a kind of registry is, in terms of the domain alone',
    may: ['src/domain/'],
  },
  {
    area: 'datasources/answer-reader.ts',
    promise: 'reads bodies that others fetched',
    may: [
      ...['datasources/http/body.ts', 'datasources/http/layer.ts', 'datasources/registry-definition.ts'],
      ...['src/domain/', 'node:crypto'],
    ],
  },
  { area: 'datasources/askable-names.ts', promise: 'judges names', may: ['src/domain/'] },
  { area: 'datasources/wire-values.ts', promise: 'reads values and imports nothing', may: [] },
  {
    area: 'datasources/health/',
    promise: 'asks through the http layers',
    may: ['datasources/http/', 'datasources/wire-values.ts', 'src/domain/'],
  },
  ...REGISTRY_KINDS.map((kind) => ({
    area: `datasources/${kind}/`,
    promise: 'is data and plain functions: no HTTP, no cache, no configuration',
    may: ['datasources/registry-definition.ts', 'datasources/wire-values.ts', 'src/domain/'],
  })),
  {
    area: 'datasources/cluster-news.ts',
    promise: 'tells other processes of registries, whatever way they are told by',
    may: ['datasources/http/', 'src/cluster/event-bus.ts', 'src/domain/'],
  },
  {
    area: 'datasources/registries.ts',
    promise: 'joins the kinds with the http layers, the cache and the metrics',
    may: ['datasources/', 'src/domain/', 'src/config/config.ts', 'src/cache/', 'src/telemetry/', 'node:net'],
  },
  {
    area: 'src/cache/',
    promise: 'keeps answers and knows what they are about, but not how they are asked for',
    may: ['src/domain/', 'node:*', 'keyv', 'lru-cache'],
  },
  {
    area: 'src/cluster/',
    promise: 'says how processes of one gateway share and tell, and not what they do with it',
    may: ['src/domain/', 'node:crypto', 'ioredis', 'keyv', 'zod'],
  },
  {
    area: 'src/storage/',
    promise: 'opens a database and brings its tables to this version, and knows nothing of what is kept there',
    may: [
      ...['src/domain/', 'src/config/config.ts', 'kysely', 'pg'],
      ...['node:fs', 'node:module', 'node:path', 'node:sqlite', 'node:worker_threads'],
    ],
  },
  {
    area: 'src/audit/',
    promise: 'keeps a record over the storage, and knows neither who asks for it nor over which protocol',
    may: [
      ...['src/domain/', 'src/storage/', 'src/config/config.ts', 'kysely'],
      ...['node:crypto', 'node:fs', 'node:fs/promises', 'node:path'],
    ],
  },
  {
    area: 'src/usage/',
    promise: 'keeps what was counted in the storage, and counts nothing itself',
    may: ['src/storage/', 'src/telemetry/', 'src/config/config.ts', 'node:crypto', 'node:os', 'zod'],
  },
  {
    area: 'src/warming/',
    promise: "says when what is used most is read ahead, and keeps it in a file; how it is read is the federation's",
    may: ['src/federation/', 'node:crypto', 'node:fs', 'node:fs/promises', 'node:path', 'zod'],
  },
  {
    area: 'src/telemetry/',
    promise: 'is fed from outside and asks nobody',
    may: ['src/domain/', 'node:async_hooks', 'node:http', 'node:timers/promises', 'pino', '@opentelemetry'],
  },
  {
    area: 'src/access/',
    promise: 'judges callers and documents, and knows no registry',
    may: ['src/domain/', 'src/config/config.ts', 'node:crypto', 'node:net', 'graphql', 'lru-cache'],
  },
  {
    area: 'src/identity/',
    promise: 'judges the tokens of an issuer, and asks nobody but that one',
    may: [
      ...['src/access/', 'src/domain/', 'src/config/config.ts'],
      // Where the keys are is told by somebody outside, as are the registries' redirects.
      'datasources/http/local-addresses.ts',
      ...['node:crypto', 'node:net', 'jose', 'lru-cache', 'undici', 'zod'],
    ],
  },
  {
    area: 'src/config/',
    promise: 'reads files and variables, and starts nothing',
    may: ['src/domain/', 'node:*', 'zod', 'yaml', 'sshpk', 'fastest-levenshtein'],
  },
  {
    area: 'src/server/',
    promise: 'speaks HTTP and GraphQL to clients and never to a registry',
    may: [
      // Of the record only what one request writes to it.
      'src/audit/request-audit.ts',
      ...['resolvers/', 'src/access/', 'src/domain/', 'src/federation/answers.ts', 'src/config/config.ts'],
      ...['src/identity/', 'src/telemetry/', 'node:*', 'pino', 'lru-cache', 'graphql-sse', 'graphql-ws', 'ws'],
      ...['graphql', '@apollo/server', '@graphql-yoga/render-graphiql'],
    ],
  },
  {
    area: 'src/live/',
    promise: 'joins everything: what is made of one configuration, and what outlives it',
    may: [
      ...['src/access/', 'src/audit/', 'src/cache/', 'src/cluster/', 'src/config/', 'src/domain/', 'src/federation/'],
      ...['src/server/', 'src/telemetry/', 'src/warming/', 'datasources/registries.ts', 'resolvers/context.ts'],
      ...['package.json', 'node:*', 'pino'],
    ],
  },
  {
    area: 'src/gateway.ts',
    promise: 'goes from one configuration to the next, and knows no registry program',
    may: ['src/', 'resolvers/context.ts', 'node:http', 'node:stream', 'pino'],
  },
  {
    area: 'src/cli/',
    promise: 'starts the gateway, and the reference registry where a command says so',
    may: [
      ...[
        'src/gateway.ts',
        'src/audit/',
        'src/domain/',
        'src/config/',
        'src/live/',
        'src/cluster/worker-bus.ts',
        'node:cluster',
        'src/server/listen.ts',
        'src/telemetry/',
        'registry/demo-thread.ts',
        'registry/serve.ts',
      ],
      // What a gateway that runs answers is outside data; a key that is made is shown as the configuration has it.
      ...['package.json', 'commander', 'pino', 'zod', 'yaml', 'node:crypto'],
    ],
  },
  { area: 'src/main.ts', promise: 'hands the process to the command line', may: ['src/cli/', 'node:*'] },
  { area: 'bin/', promise: 'loads the program', may: ['src/main.ts', 'node:module', 'node:url'] },
  {
    area: 'registry/',
    promise: 'is a program of its own: it imports nothing of the gateway',
    may: ['node:*', 'yaml', 'semver', 'http-message-sig'],
  },
];

const sources = readSources();

function areaOf(path: string): (typeof AREAS)[number] | undefined {
  return AREAS.filter(({ area }) => path.startsWith(area)).toSorted(
    (one, other) => other.area.length - one.area.length,
  )[0];
}

function isAllowed(name: string, { area, may }: (typeof AREAS)[number]): boolean {
  if (name.startsWith(area)) return true;
  return may.some((allowed) => {
    if (allowed === 'node:*') return name.startsWith('node:') && isBuiltin(name);
    if (name === allowed || (allowed.endsWith('/') && name.startsWith(allowed))) return true;
    // A folder of a package is the package; a file of the project never has another below it.
    return !allowed.includes('.') && name.startsWith(`${allowed}/`);
  });
}

function findForbidden(files: readonly SourceFile[], layer: (typeof AREAS)[number]): string[] {
  return files
    .filter(({ path }) => areaOf(path) === layer)
    .flatMap(({ path, imports }) =>
      imports.filter((name) => !isAllowed(name, layer)).map((name) => `${path} must not import ${name}`),
    );
}

function graphOf(nodeOf: (path: string) => string): Map<string, Set<string>> {
  const edges = new Map<string, Set<string>>();
  for (const { path, imports } of sources) {
    const from = nodeOf(path);
    const targets = edges.get(from) ?? new Set();
    edges.set(from, targets);
    for (const name of imports) {
      if (sources.some((file) => file.path === name) && nodeOf(name) !== from) targets.add(nodeOf(name));
    }
  }
  return edges;
}

describe('the direction of imports', () => {
  it.each(AREAS)('$area $promise', (layer) => {
    expect(sources.some(({ path }) => areaOf(path) === layer)).toBe(true);
    expect(findForbidden(sources, layer)).toEqual([]);
  });

  it('is written down for every file', () => {
    expect(sources.filter(({ path }) => areaOf(path) === undefined).map(({ path }) => path)).toEqual([]);
  });

  it('has no circle, neither among files nor among areas', () => {
    expect(findCircles(graphOf((path) => path))).toEqual([]);
    expect(findCircles(graphOf((path) => areaOf(path)?.area ?? path))).toEqual([]);
  });

  it('goes by import lines, and names of built-in modules: nothing is loaded by another way', () => {
    const loads = /\brequire\s*\(|\bcreateRequire\b|\bgetBuiltinModule\b|\bimport\s*\(\s*[^'\s]/;
    expect(
      sources.filter(({ code }) => loads.test(code.replaceAll(BUILTIN_MODULE, ''))).map(({ path }) => path),
    ).toEqual([]);
  });
});

describe('the process', () => {
  it('is touched by the entries of the programs alone', () => {
    const touches = /\bprocess\s*(?:\?\.|\.|\[)\s*['\w]|'(?:node:)?process'/;
    const files = sources
      .filter(({ code }) => touches.test(code.replaceAll(BUILTIN_MODULE, '')))
      .map(({ path }) => path);
    expect(files.toSorted()).toEqual(['bin/marketplace.js', 'registry/main.ts', 'src/main.ts']);
  });
});

describe('the reading of imports', () => {
  it('finds every form of import and what it means', () => {
    const code = `
import type { A } from './a.ts';
import {
  b,
} from '../b/b.ts';
import 'undici';
export { c } from '../../datasources/c.ts';
const d = await import('node:fs');
const { e } = process.getBuiltinModule('node:http');`;
    expect(findImports('src/federation/x.ts', code)).toEqual([
      'src/federation/a.ts',
      'src/b/b.ts',
      'undici',
      'datasources/c.ts',
      'node:fs',
      'node:http',
    ]);
  });

  it('tells what is forbidden from what is not', () => {
    const layer = areaOf('src/federation/x.ts');
    if (layer === undefined) throw new Error('the federation must be an area');
    const imports = [
      'src/domain/errors.ts',
      'semver/functions/compare.js',
      'undici',
      'node:fs',
      'src/config/config.ts',
    ];
    expect(findForbidden([{ path: 'src/federation/x.ts', code: '', imports }], layer)).toEqual([
      'src/federation/x.ts must not import undici',
      'src/federation/x.ts must not import node:fs',
      'src/federation/x.ts must not import src/config/config.ts',
    ]);
  });

  it('finds circles', () => {
    const edges = new Map([
      ['a', new Set(['b'])],
      ['b', new Set(['c'])],
      ['c', new Set(['b'])],
    ]);
    expect(findCircles(edges)).toEqual(['b -> c -> b']);
  });
});
