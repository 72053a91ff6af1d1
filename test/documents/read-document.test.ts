import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readName } from '../../datasources/wire-values.ts';
import { MAX_DOCUMENT_BYTES, readDocument } from '../../src/documents/read-document.ts';
import { findNameFault, normalizeName } from '../../src/domain/names.ts';

const DEMO = new URL('../../registry/demo/', import.meta.url);

describe('a template document', () => {
  it('may be any of those that a registry has, in YAML or JSON', () => {
    const files = readdirSync(DEMO, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.yaml'));
    expect(files.length).toBeGreaterThan(50);
    for (const file of files) {
      // A file of several versions has each of them in a list, which a document has not.
      const text = readFileSync(new URL(file, DEMO), 'utf8').replace(/^versions:$/m, 'version: "1.0.0"\nversions:');
      const { document, faults } = readDocument(text);
      expect([file, faults]).toEqual([file, null]);
      expect(document?.mediaType).toBe('application/yaml');
    }
    const json = readDocument('\n {"name":"a","version":"1","marketplace":{"dependencies":[{"name":"b"}]},"mine":[1]}');
    expect(json.document).toMatchObject({ name: 'a', version: '1', mediaType: 'application/json' });
    expect(json.document?.digest).toMatch(/^sha256:[0-9a-f]{64}$/);
  });

  const good = { name: 'a', version: '1' };
  it.each([
    [{ version: '1' }, '"name" must be text'],
    [{ name: 'a' }, '"version" must be text'],
    [{ name: 'a', version: 1.1 }, '"version" must be text (quote it'],
    [{ ...good, version: '1/2' }, '"version" must have'],
    [{ ...good, version: '1\r\nx-evil: 1' }, '"version" must have'],
    [{ ...good, title: 3 }, '"title" must be text.'],
    [{ ...good, tags: 'x' }, '"tags" must be a list of texts.'],
    [{ ...good, tags: [1] }, '"tags" must be a list of texts.'],
    [{ ...good, complexity: 'hard' }, '"complexity" must be one of simple'],
    [{ ...good, homepage: 'javascript:alert(1)' }, '"homepage" must be an absolute http'],
    [{ ...good, homepage: 'https://me:secret@x.example' }, '"homepage" must be an absolute http'],
    [{ ...good, packages: { pip: 'numpy' } }, '"packages" must be a map of lists'],
    [{ ...good, estimated_launch_time: '5m' }, '"estimated_launch_time" must be a number'],
    [{ ...good, created_at: 'yesterday' }, '"created_at" must be a time'],
    [{ ...good, dependencies: [{ version: '1' }] }, '"dependencies[0].name" must be text'],
    [{ ...good, marketplace: [] }, '"marketplace" must be a map'],
    [
      { ...good, marketplace: { dependencies: [{ name: 'x', type: 'magic' }] } },
      '"dependencies[0].type" must be one of',
    ],
  ])('is refused, with the member that is wrong: %j', (template, expected) => {
    expect(readDocument(JSON.stringify(template)).faults?.join(' ')).toContain(expected);
  });

  it('names several faults at once, and never very many', () => {
    const faults = readDocument(JSON.stringify({ tags: 1, title: 2 })).faults ?? [];
    expect(faults).toHaveLength(4);
    const many = { ...good, dependencies: Array.from({ length: 1000 }, () => ({})) };
    expect(readDocument(JSON.stringify(many)).faults?.length).toBe(10);
  });

  it.each([
    ['[1]', 'must be a map'],
    ['"text"', 'must be a map'],
    ['', 'must be a map'],
    ['{"name":', 'must be JSON'],
    ['name: [', 'line 1 is not'],
    ['name: a\n---\nname: b\n', 'must be one YAML document'],
    ['name: !!js/function "x"\n', 'must be one YAML document'],
    ['%YAML 1.1\n---\nname: a\nversion: "1"\n', 'without directives'],
    ['name: a\nversion: "1"\n\u0000', 'must be plain text'],
    ['name: a\nversion: "\ud800"\n', 'must be plain text'],
    ['? [a, b]\n: c\n', 'plain texts as keys'],
    ['x: &x {a: b}\nname: a\nversion: "1"\n<<: *x\n', 'must not merge maps'],
  ])('is refused as no document: %j', (text, expected) => {
    expect(readDocument(text).faults?.join(' ')).toContain(expected);
  });

  it.each([
    '{"name":"mine","version":"1","name":"theirs"}',
    '{"name":"mine","version":"1","n\\u0061me":"theirs"}',
    'name: mine\nversion: "1"\nname: theirs\n',
    'name: mine\nversion: "1"\n"n\\u0061me": theirs\n',
    '{"name":"a","version":"1","packages":{"pip":[],"pip":["x"]}}',
  ])('is refused where readers could take it for two: %j', (text) => {
    expect(readDocument(text).faults?.join(' ')).toMatch(/each key once/);
  });

  it('takes equal keys of different objects, and braces and quotes in texts, for what they are', () => {
    const template = { ...good, title: '{"a":1,"a":2}', tags: ['\\', '"', '[['], x: [{ a: 1 }, { a: 2 }] };
    expect(readDocument(JSON.stringify(template)).faults).toBeNull();
    expect(readDocument(JSON.stringify(template, null, 2)).faults).toBeNull();
  });
});

describe('a document that is an attack', () => {
  const filled = (start: string, part: string, end = '') =>
    start + part.repeat(Math.floor((MAX_DOCUMENT_BYTES - start.length - end.length) / part.length)) + end;
  const laughs = ['a: &l0 [x, x]', ...Array.from({ length: 30 }, (_, i) => `k${i}: &l${i + 1} [*l${i}, *l${i}]`)];
  it.each([
    ['too large', `name: ${'x'.repeat(MAX_DOCUMENT_BYTES)}`],
    ['too large in bytes', `name: ${'ü'.repeat(MAX_DOCUMENT_BYTES / 2)}`],
    ['aliases that multiply', `${laughs.join('\n')}\n`],
    ['an alias of itself', 'name: &a [*a]\n'],
    ['many aliases', `a: &a x\nb:\n${'  - *a\n'.repeat(100)}`],
    ['deep JSON', `{"a":${'['.repeat(50_000)}${']'.repeat(50_000)}}`],
    ['deep objects', filled('', '{"a":')],
    ['deep flow', `a: ${'['.repeat(5_000)}`],
    ['deep keys', `${'? '.repeat(5_000)}a`],
    ['nested keys', `${'? '.repeat(80)}a\n`],
    ['deep lists', `${'- '.repeat(5_000)}a`],
    ['commas', filled('[', ',', ']')],
    ['lists in lists', filled('a:\n', ' - [a, b]\n')],
    ['keys', Array.from({ length: 80_000 }, (_, index) => `k${index}: v`).join('\n')],
    ['prototype, JSON', '{"name":"a","version":"1","__proto__":{"polluted":true}}'],
    ['prototype, YAML', 'name: a\nversion: "1"\n__proto__: {polluted: true}\n'],
    ['prototype, deep', '{"name":"a","version":"1","x":[{"__proto__":{"polluted":true}}]}'],
  ])('is refused in little time, and changes nothing: %s', (_, text) => {
    const cpu = process.cpuUsage();
    expect(readDocument(text).faults).not.toBeNull();
    const { user } = process.cpuUsage(cpu);
    // A megabyte is counted, not parsed; what is parsed is bounded.
    expect(user / 1000).toBeLessThan(1_000);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });
});

describe('a name that may be published', () => {
  it.each([
    ...['', ' a', 'a ', '.', '..', 'a/../b', 'a//b', '/a', 'a/', '../../etc/passwd', 'a\\b', '..\\a', '%2e%2e%2fa'],
    ...[
      'a%2Fb',
      'a\u0000b',
      'a\r\nx: y',
      'a\u200bb',
      'a\u202eb',
      'a\ufeff',
      'ａdmin',
      'ﬁle',
      'a\ud800',
      'x'.repeat(201),
    ],
  ])('is not %j', (name) => {
    expect(findNameFault(name)).not.toBeNull();
  });

  it.each(['a', 'org/name', 'helm/bitnami/redis', 'été', 'Ω', 'a.b-c_d+e', 'a b', '日本語/環境'])(
    'may be %j',
    (name) => {
      expect(findNameFault(name)).toBeNull();
    },
  );

  it('is always one that is read from a registry, and has one spelling but for its case', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'grapheme' }), fc.stringMatching(/^[a-zA-Z%./\\-]{1,12}$/)), (name) => {
        if (findNameFault(name) !== null) return;
        expect(readName(name, 500)).toBe(name);
        expect(normalizeName(name).toUpperCase().toLowerCase()).toBe(
          normalizeName(name.toLowerCase().normalize('NFKC')).toUpperCase().toLowerCase(),
        );
      }),
      { numRuns: 3_000, seed: 4711 },
    );
  });
});
