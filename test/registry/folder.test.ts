import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parse } from 'yaml';
import { createRegistry } from '../../registry/registry.ts';
import { getJson, searchNames } from './ask.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'registry-'));
});
afterEach(() => rm(folder, { recursive: true }));

test('files that cannot be used are named with what is wrong, and cost no other', async () => {
  const bomb = Array.from({ length: 12 }, (_, n) => `l${n}: &l${n} [${Array(9).fill(n === 0 ? 'x' : `*l${n - 1}`)}]`);
  await mkdir(join(folder, 'deep'));
  const files: Record<string, string | Uint8Array> = {
    'deep/good.yaml': 'name: good\nversion: "1.0.0"\n',
    'again.yml': 'name: good\nversion: "1.0.0"\n',
    'bomb.yaml': `name: bomb\nversion: "1"\n${bomb.join('\n')}`,
    'broken.yaml': 'name: x\nversion: [\n',
    'tagged.yaml': 'name: !!js/function x\nversion: "1"\n',
    'latin.yaml': Uint8Array.of(0x6e, 0xff, 0xfe),
    'empty.yaml': '',
    'huge.yaml': `name: huge\nversion: "1"\ndescription: ${'x'.repeat(1_048_576)}`,
    'wrong.json': '{"name":"x","version":"1","tags":"a","marketplace":{"rating":9,"dependencies":[{"version":"1"}]}}',
    'list.yaml': 'name: l\nversions: ["1.0.0"]\n',
    'notes.txt': 'not read',
    '.hidden.yaml': 'not: read',
  };
  await Promise.all(Object.entries(files).map(([file, content]) => writeFile(join(folder, file), content)));
  await using registry = createRegistry({ folder });
  const url = await registry.listen();
  expect(await searchNames(url, '')).toEqual(['good']);
  const faults = Object.groupBy(registry.faults, ({ file }) => file);
  expect(Object.keys(faults).sort()).toEqual(
    [
      'bomb.yaml',
      'broken.yaml',
      'deep/good.yaml',
      'empty.yaml',
      'huge.yaml',
      'latin.yaml',
      'list.yaml',
      'tagged.yaml',
      'wrong.json',
    ].sort(),
  );
  expect(faults['deep/good.yaml']?.[0]?.message).toBe('good 1.0.0 is already in again.yml');
  expect(faults['broken.yaml']?.[0]?.message).toMatch(/^line \d is not YAML/);
  expect(faults['wrong.json']?.map(({ message }) => message)).toEqual([
    '"marketplace.rating" must be a number from 0 to 5, but 9 was given',
    '"tags" must be a list of texts, but "a" was given',
    '"marketplace.dependencies[0].name" must be given',
  ]);
});

test('a file with several versions serves each with a document of its own', async () => {
  const text = `name: many
title: "Shared: and quoted"
description: |
  Two lines,
  # the second like a comment
tags: [yes, "no", "1.10", plain]
packages: { conda: [python=3.12], pip: [] }
marketplace: { downloads: 5, rating: 4, dependencies: [{ name: base, version: "^1" }] }
versions:
  - { version: "2.0.0", updated_at: "2026-02-01", marketplace: { rating: 5 } }
  - { version: "1.10", title: "true" }
`;
  await writeFile(join(folder, 'many.yaml'), text.replace('[yes,', '["yes",'));
  await using registry = createRegistry({ folder });
  const url = `${await registry.listen()}/api/v1/templates/many`;
  expect(registry.faults).toEqual([]);
  expect(await getJson(url)).toMatchObject({ version: '2.0.0', marketplace: { downloads: 5, rating: 5 } });
  const document: unknown = parse(await (await fetch(`${url}/content?version=1.10`)).text());
  expect(document).toEqual({
    name: 'many',
    title: 'true',
    description: 'Two lines,\n# the second like a comment\n',
    tags: ['yes', 'no', '1.10', 'plain'],
    packages: { conda: ['python=3.12'], pip: [] },
    version: '1.10',
    marketplace: { dependencies: [{ name: 'base', version: '^1' }] },
  });
});

test('a folder that is not there is an error when the registry starts', async () => {
  const registry = createRegistry({ folder: join(folder, 'absent') });
  await expect(registry.listen()).rejects.toThrow('ENOENT');
});
