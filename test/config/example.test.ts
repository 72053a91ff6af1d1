import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import sshpk from 'sshpk';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { Config } from '../../src/config/config.ts';
import { makeJsonSchema } from '../../src/config/json-schema.ts';
import { parseConfigObject } from '../../src/config/load.ts';
import { createTestAuthority } from '../helpers/faulty-registry-certificates.ts';
import { ConfigFolder } from './folder.ts';

const EXAMPLE = readFileSync(new URL('../../examples/marketplace.yaml', import.meta.url), 'utf8');

/** What the example takes from its surroundings. */
const ENVIRONMENT = {
  MARKETPLACE_SECRET: '0123456789abcdef',
  UNIVERSITY_REGISTRY_TOKEN: 'a token',
  UNIVERSITY_WEBHOOK_SECRET: 'fedcba9876543210',
  LABORATORY_KEY_PASSPHRASE: 'a passphrase',
};

function loadExample(text: string, profile = ''): Config {
  using folder = new ConfigFolder();
  const authority = createTestAuthority();
  const client = authority.issue({ commonName: 'client' });
  const key = sshpk.generatePrivateKey('ed25519').toString('openssh', {
    passphrase: ENVIRONMENT.LABORATORY_KEY_PASSPHRASE,
    cipher: 'aes256-ctr',
  });
  folder.write('secrets/previous', 'fedcba9876543210\n');
  folder.write('tls/ca.pem', authority.ca);
  folder.write('tls/client.pem', client.cert);
  folder.write('tls/client.key', client.key);
  folder.write('keys/id_ed25519', key);
  const document = '{ registries { name } }';
  folder.write('documents.json', JSON.stringify({ [hash('sha256', document, 'hex')]: document }));
  return folder.load(text, { ...ENVIRONMENT, MARKETPLACE_PROFILE: profile });
}

/** The keys of a mapping and of all below it, without the places in lists: "registries.timeouts.connect". */
function listKeys(value: unknown, path: readonly string[] = []): string[] {
  if (Array.isArray(value)) return value.flatMap((member) => listKeys(member, path));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, member]) => [
    [...path, key].join('.'),
    ...listKeys(member, [...path, key]),
  ]);
}

/** The keys that this version reads, by the definition's JSON Schema; what it refuses is `not` anything there. */
function listKnownKeys(schema: unknown, path: readonly string[] = []): string[] {
  if (typeof schema !== 'object' || schema === null) return [];
  const { properties, items, anyOf, oneOf } = schema as Record<string, unknown>;
  const members = Object.entries(properties ?? {}).flatMap(([key, member]) => {
    if (Object.hasOwn(member, 'not')) return [];
    return [[...path, key].join('.'), ...listKnownKeys(member, [...path, key])];
  });
  return [...members, ...[items, anyOf, oneOf].flat().flatMap((inner) => listKnownKeys(inner, path))];
}

/** Without the lines that are choices, and without what is indented below them. */
function withoutChoices(text: string): string {
  let choiceIndent = Number.POSITIVE_INFINITY;
  const kept = text.split('\n').filter((line) => {
    const indent = line.search(/\S/);
    if (indent > choiceIndent) return false;
    choiceIndent = line.includes('# choice') ? indent : Number.POSITIVE_INFINITY;
    return choiceIndent === Number.POSITIVE_INFINITY;
  });
  return kept.join('\n');
}

describe('the example configuration', () => {
  it('starts a gateway, given its files and variables', () => {
    const config = loadExample(EXAMPLE);
    expect(config.registries.map(({ name }) => name)).toEqual([
      'university',
      'laboratory',
      'personal',
      'official',
      'workbench',
    ]);
    expect(config.server.secrets).toEqual(['0123456789abcdef', 'fedcba9876543210']);
  });

  it('is another one by each of its profiles', () => {
    const [base, development, staging, production] = ['', 'development', 'staging', 'production'].map((profile) =>
      loadExample(EXAMPLE, profile),
    );
    expect(development?.registries.map(({ name }) => name)).toContain('mine');
    expect(development?.server.search).toEqual({ ...base?.server.search, timeout: 10_000 });
    expect(staging?.registries.find(({ name }) => name === 'official')?.url).toBe(
      'https://staging.marketplace.example.org',
    );
    expect([base?.auth.anonymous, production?.auth.anonymous]).toEqual(['allow', 'deny']);
    expect(production?.auth.apiKeys).toEqual(base?.auth.apiKeys);
  });

  it('has every key that this version reads, and no other', () => {
    const known = new Set(listKnownKeys(makeJsonSchema()));
    expect(known.size).toBeGreaterThan(60);
    // The keys of that mapping are the issuer's words, and profiles have the others again.
    const own = /^auth\.jwt\.roleMapping\.|^profiles\./;
    const keys = listKeys(parse(EXAMPLE)).filter((key) => !own.test(key));
    expect([...new Set(keys)].toSorted()).toEqual([...known].toSorted());
  });

  it('shows the defaults wherever it does not speak of a choice', () => {
    const { server, registries, auth } = parse(withoutChoices(EXAMPLE));
    const secret = ENVIRONMENT.MARKETPLACE_SECRET;
    const shown = registries.find((registry: { name: string }) => registry.name === 'university');
    const { name, type, url } = shown;
    expect(parseConfigObject({ server: { ...server, secret }, registries: [shown], auth })).toEqual(
      parseConfigObject({ server: { secret }, registries: [{ name, type, url }] }),
    );
  });
});
