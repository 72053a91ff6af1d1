import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormatsModule from 'ajv-formats';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { startDemoRegistries } from '../../registry/demo.ts';
import { createRegistry, type Registry } from '../../registry/registry.ts';
import { isRecord, publish } from './ask.ts';

const file = new URL('../../schema/registry-protocol.openapi.yaml', import.meta.url);
const specification: unknown = parse(readFileSync(file, 'utf8'));

/** The value at a path of member names; fails where there is none. */
function valueAt(value: unknown, ...path: readonly string[]): unknown {
  let current = value;
  for (const name of path) {
    if (!isRecord(current) || !(name in current)) throw new Error(`the specification has no ${path.join(' / ')}`);
    current = current[name];
    if (isRecord(current) && typeof current.$ref === 'string') {
      current = valueAt(specification, ...current.$ref.split('/').slice(1));
    }
  }
  return current;
}

const keysOf = (value: unknown): string[] => (isRecord(value) ? Object.keys(value) : []);

const ajv = new Ajv2020({ strict: false, allErrors: true });
addFormatsModule.default(ajv);
if (isRecord(specification)) ajv.addSchema(specification, 'protocol');

/** What is wrong with a body by a schema of the specification, given by its pointer; empty when nothing is. */
function validate(pointer: string, body: unknown): unknown[] {
  const check = ajv.getSchema(`protocol#${pointer}`);
  if (check === undefined) throw new Error(`the specification has no schema at ${pointer}`);
  return check(body) === true ? [] : [...(check.errors ?? [])];
}

/** Checks an answer against what the specification says of it: status, media type, schema, headers. */
async function expectDocumented(path: string, method: string, response: Response): Promise<void> {
  const responses = valueAt(specification, 'paths', path, method, 'responses');
  const documented = valueAt(responses, String(response.status));
  const text = await response.text();
  const headers = isRecord(documented) && isRecord(documented.headers) ? documented.headers : {};
  for (const name of Object.keys(headers)) {
    const described = valueAt(headers, name);
    if (isRecord(described) && described.required === true) expect(response.headers.get(name), name).not.toBeNull();
    const pattern = isRecord(described) && isRecord(described.schema) ? described.schema.pattern : undefined;
    const value = response.headers.get(name);
    if (typeof pattern === 'string' && value !== null) expect(value).toMatch(new RegExp(pattern, 'u'));
  }
  if (response.status === 304) return;
  const mediaType = response.headers.get('content-type')?.split(';')[0] ?? '';
  const content = valueAt(documented, 'content', mediaType);
  const schema = isRecord(content) && isRecord(content.schema) ? content.schema : {};
  const body: unknown = mediaType === 'application/json' ? JSON.parse(text) : parse(text);
  expect(validate(String(schema.$ref).replace('#', ''), body)).toEqual([]);
}

describe('answers of the reference registry', () => {
  let registry: Registry;
  let url = '';
  beforeAll(async () => {
    registry = createRegistry({
      templates: [{ name: 'a/b', version: '1.0.0', category: 'c', withdrawn_at: '2026-01-01' }],
      publishTokens: ['writer'],
      basicUsers: [{ username: 'reader', password: 'x' }],
      publicRead: true,
    });
    url = await registry.listen();
  });
  afterAll(() => registry.close());

  test.each([
    ['/api/v1/search', '/api/v1/search', {}],
    ['/api/v1/search', '/api/v1/search?q=nothing&offset=3', {}],
    ['/api/v1/search', '/api/v1/search?limit=0', {}],
    ['/api/v1/search', '/api/v1/search', { 'if-none-match': '*' }],
    ['/api/v1/search', '/api/v1/search', { authorization: 'Bearer wrong' }],
    ['/api/v1/templates/{name}', '/api/v1/templates/a%2Fb', {}],
    ['/api/v1/templates/{name}', '/api/v1/templates/nothing', {}],
    ['/api/v1/templates/{name}', '/api/v1/templates/%ff', {}],
    ['/api/v1/templates/{name}/versions', '/api/v1/templates/a%2Fb/versions', {}],
    ['/api/v1/templates/{name}/versions', '/api/v1/templates/nothing/versions', {}],
    ['/api/v1/templates/{name}/content', '/api/v1/templates/a%2Fb/content', {}],
    ['/api/v1/templates/{name}/content', '/api/v1/templates/a%2Fb/content?version=2', {}],
    ['/api/v1/categories', '/api/v1/categories', {}],
    ['/api/v1/health', '/api/v1/health', {}],
  ])('%s: %s with %o is as documented', async (path, address, headers) => {
    await expectDocumented(path, 'get', await fetch(url + address, { headers }));
  });

  test.each([
    [201, 'name: new\nversion: "1.0.0"', { authorization: 'Bearer writer' }],
    [409, 'name: new\nversion: "1.0.0"', { authorization: 'Bearer writer' }],
    [401, 'name: new\nversion: "1.0.0"', {}],
    [400, 'name: [', { authorization: 'Bearer writer' }],
    [415, 'name: x', { authorization: 'Bearer writer', 'content-type': 'text/html' }],
    [422, 'name: x', { authorization: 'Bearer writer' }],
    [413, 'x'.repeat(1_048_577), { authorization: 'Bearer writer' }],
  ])('publishing is answered %i as documented', async (status, document, headers) => {
    const response = await publish(url, document, headers);
    expect(response.status).toBe(status);
    await expectDocumented('/api/v1/templates', 'post', response);
  });

  test('every documented path and method is served', async () => {
    const paths = valueAt(specification, 'paths');
    const served: string[] = [];
    for (const path of keysOf(paths)) {
      for (const method of keysOf(valueAt(paths, path)).filter((key) => key === 'get' || key === 'post')) {
        const response = await fetch(url + path.replace('{name}', 'a%2Fb'), { method: method.toUpperCase() });
        await response.body?.cancel();
        expect([404, 405, 500], `${method} ${path}`).not.toContain(response.status);
        served.push(`${method} ${path}`);
      }
    }
    expect(served).toHaveLength(7);
  });
});

test('every template of the demo registries is as documented', async () => {
  const registries = await startDemoRegistries();
  try {
    for (const { url } of registries) {
      const body: unknown = await (await fetch(`${url}/api/v1/search?limit=100`)).json();
      expect(validate('/components/schemas/SearchAnswer', body)).toEqual([]);
    }
  } finally {
    await Promise.all(registries.map((registry) => registry.close()));
  }
});

test('the schemas refuse what is no template', () => {
  for (const wrong of [{ name: 'x' }, { name: 'x', version: 1 }, { name: 'x', version: '1', tags: 'a' }]) {
    expect(validate('/components/schemas/Template', wrong)).not.toEqual([]);
  }
});

test('every path, parameter, header and answer is described', () => {
  const missing: string[] = [];
  const walk = (value: unknown, path: string): void => {
    if (!isRecord(value)) return;
    const isParameter = 'in' in value && 'name' in value;
    const isAnswer = /\/responses\/[^/]+$/.test(path) && !('$ref' in value);
    const isOperation = 'operationId' in value;
    if ((isParameter || isAnswer) && typeof value.description !== 'string') missing.push(path);
    if (isOperation && typeof value.summary !== 'string') missing.push(path);
    for (const [name, child] of Object.entries(value)) {
      if (Array.isArray(child)) child.forEach((item, index) => void walk(item, `${path}/${name}/${index}`));
      else walk(child, `${path}/${name}`);
    }
  };
  walk(specification, '');
  expect(missing).toEqual([]);
});
