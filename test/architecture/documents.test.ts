import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { makeJsonSchema } from '../../src/config/json-schema.ts';

const ROOT = new URL('../../', import.meta.url);
const DOCUMENTS = ['README.md', 'ARCHITECTURE.md', 'datasources/http/README.md', 'datasources/marketplace/README.md'];
const FOLDERS = ['src', 'resolvers', 'datasources', 'registry', 'schema', 'test', 'examples'];

const fileNames = FOLDERS.flatMap((folder) =>
  readdirSync(new URL(folder, ROOT), { recursive: true, encoding: 'utf8' }).map((name) => `${folder}/${name}`),
);

/** What a document calls a file or a folder of the project: a path from its root, or the name of a file anywhere. */
function listNamedFiles(text: string): string[] {
  const prose = text.replaceAll(/^```[\s\S]*?^```$/gm, '');
  const words = [...prose.matchAll(/`([^`\s]+)`/g)].map((match) => match[1] ?? '');
  return words.filter((word) => {
    if (/[<>*{}()]/.test(word)) return false;
    return FOLDERS.some((folder) => word.startsWith(`${folder}/`)) || /^[\w-]+(\/[\w-]+)*\.(ts|graphql)$/.test(word);
  });
}

function isThere(name: string): boolean {
  return existsSync(new URL(name, ROOT)) || fileNames.some((file) => file.endsWith(`/${name}`));
}

function listKeys(schema: unknown): string[] {
  if (typeof schema !== 'object' || schema === null) return [];
  if (Array.isArray(schema)) return schema.flatMap(listKeys);
  const { properties } = schema as { properties?: object };
  const own = Object.entries(properties ?? {}).filter(([, member]) => !Object.hasOwn(member, 'not'));
  return [...own.map(([key]) => key), ...Object.values(schema).flatMap(listKeys)];
}

describe('the documents', () => {
  it.each(DOCUMENTS)('%s names only files that exist', (document) => {
    const named = listNamedFiles(readFileSync(new URL(document, ROOT), 'utf8'));
    expect(named.length).toBeGreaterThan(0);
    expect(named.filter((name) => !isThere(name))).toEqual([]);
  });

  it.each(DOCUMENTS)('%s links only to files that exist', (document) => {
    const base = new URL(document, ROOT);
    const links = [...readFileSync(base, 'utf8').matchAll(/\]\(([^)#]+)\)/g)].map((match) => match[1] ?? '');
    expect(links.filter((link) => !/^https?:/.test(link) && !existsSync(new URL(link, base)))).toEqual([]);
  });

  it('tell of every key of the configuration', () => {
    const readme = readFileSync(new URL('README.md', ROOT), 'utf8');
    const keys = new Set(listKeys(makeJsonSchema()));
    expect(keys.size).toBeGreaterThan(50);
    expect([...keys].filter((key) => !new RegExp(`\\b${key}\\b`).test(readme))).toEqual([]);
  });
});
