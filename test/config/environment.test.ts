import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseConfigObject } from '../../src/config/load.ts';
import { ConfigFolder, sentencesOf } from './folder.ts';

const DOCUMENT = {
  server: { secret: '0123456789abcdef' },
  registries: [{ name: 'a', type: 'official', url: 'https://a.example' }],
};
const parse = (environment: Record<string, string>) => parseConfigObject(DOCUMENT, { environment });

describe('the environment', () => {
  it('says where the gateway listens, keeps its data and how much it logs', () => {
    const config = parse({ HOST: '::1', PORT: '0', LOG_LEVEL: 'silent', MARKETPLACE_DATA: 'data' });
    expect(config.server).toMatchObject({ host: '::1', port: 0 });
    expect(config).toMatchObject({ logLevel: 'silent', dataDirectory: resolve('data') });
  });

  it.each([
    ['sqlite:data/x.sqlite', { kind: 'sqlite', path: resolve('data/x.sqlite') }],
    ['sqlite:/srv/x.sqlite', { kind: 'sqlite', path: '/srv/x.sqlite' }],
    ['sqlite:///srv/x.sqlite', { kind: 'sqlite', path: '/srv/x.sqlite' }],
    ['sqlite::memory:', { kind: 'sqlite', path: ':memory:' }],
    ['postgres://u:p@db/x', { kind: 'postgres', url: 'postgres://u:p@db/x' }],
    ['postgresql:///x?host=/run/postgresql', { kind: 'postgres', url: 'postgresql:///x?host=/run/postgresql' }],
  ])('names the database by DATABASE_URL=%s', (url, storage) => {
    expect(parse({ DATABASE_URL: url }).storage).toEqual(storage);
  });

  it.each(['mysql://u:hunter2@db/x', 'postgres://u:hunter2@db', 'postgres:/x', 'sqlite:', 'x'])(
    'names no database by DATABASE_URL=%s, and does not repeat what may hold a password',
    (url) => {
      expect(sentencesOf(() => parse({ DATABASE_URL: url }))).toEqual([
        'environment DATABASE_URL must be postgres://<user>:<password>@<host>:<port>/<database> or sqlite:<path>.',
      ]);
    },
  );

  it('leaves the database a file in the data directory, and in memory where a document in code names no directory', () => {
    expect(parse({}).storage).toEqual({ kind: 'sqlite', path: ':memory:' });
    expect(parseConfigObject(DOCUMENT, { dataDirectory: '/srv/data' }).storage).toEqual({
      kind: 'sqlite',
      path: '/srv/data/marketplace.sqlite',
    });
  });

  it('counts an empty variable as absent', () => {
    const names = ['HOST', 'PORT', 'LOG_LEVEL', 'MARKETPLACE_DATA', 'REDIS_URL', 'DATABASE_URL', 'MARKETPLACE_X'];
    const config = parse(Object.fromEntries(names.map((name) => [name, ''])));
    expect(config.server).toMatchObject({ host: '127.0.0.1', port: 4000 });
    expect(config).toMatchObject({ logLevel: 'info', dataDirectory: resolve('.marketplace') });
  });

  it.each([
    [
      { REDIS_URL: 'http://u:hunter2@r' },
      'REDIS_URL must be redis://host:port/database, or rediss: for TLS, without query and fragment.',
    ],
    [
      { REDIS_URL: 'redis://r:6379/0?family=6' },
      'REDIS_URL must be redis://host:port/database, or rediss: for TLS, without query and fragment.',
    ],
    [
      { MARKETPLACE_CONFG: 'x' },
      'MARKETPLACE_CONFG must be left unset: this version knows MARKETPLACE_API_KEY, MARKETPLACE_CONFIG, MARKETPLACE_DATA, MARKETPLACE_GATEWAY, MARKETPLACE_PROFILE, MARKETPLACE_SECRET, MARKETPLACE_WORKERS, and the configuration does not read it. Did you mean "MARKETPLACE_CONFIG"?',
    ],
    [
      { MARKETPLACE_SECRET: 'hunter2hunter2hunter2' },
      `MARKETPLACE_SECRET must be read by the configuration (secret: "\${MARKETPLACE_SECRET}" under server), or left unset.`,
    ],
    [{ PORT: '65536' }, 'PORT must be a whole number from 0 to 65535, but "65536" was given.'],
    [{ PORT: '-1' }, 'PORT must be a whole number from 0 to 65535, but "-1" was given.'],
    [{ PORT: '80 ' }, 'PORT must be a whole number from 0 to 65535, but "80 " was given.'],
    [
      { HOST: 'http://localhost' },
      'HOST must be a host name or an address, without scheme and port, but "http://localhost" was given.',
    ],
    [
      { LOG_LEVEL: 'warning' },
      'LOG_LEVEL must be one of trace, debug, info, warn, error, fatal, silent, but "warning" was given. Did you mean "warn"?',
    ],
  ])('%o is a fault', (environment, expected) => {
    expect(sentencesOf(() => parse(environment))).toEqual([`environment ${expected}`]);
  });

  it.each(['redis://cache', 'redis://:hunter2@cache:6380/3', 'rediss://user:hunter2@[::1]:6379/'])(
    'may name a Redis server to share by: %s',
    (url) => {
      expect(parse({ REDIS_URL: url }).redisUrl).toBe(url);
      expect(parse({}).redisUrl).toBeNull();
    },
  );

  it('asks for a secret that all know where a Redis server is shared', () => {
    const parseWith = (secret: string | string[]) =>
      parseConfigObject({ ...DOCUMENT, server: { secret } }, { environment: { REDIS_URL: 'redis://r' } });
    expect(sentencesOf(() => parseWith(''))).toEqual([
      expect.stringContaining('server.secret must be given with REDIS_URL, and the same for all that share it.'),
    ]);
    expect(parseWith(['0123456789abcdef', 'fedcba9876543210']).server.secrets).toHaveLength(2);
  });

  it('may have variables of any name that the file reads', () => {
    using folder = new ConfigFolder();
    const text = `server: { secret: "\${MARKETPLACE_SECRET:-}" }
registries: [{ name: a, type: official, url: "\${MARKETPLACE_URL}" }]`;
    const environment = { MARKETPLACE_SECRET: '0123456789abcdef', MARKETPLACE_URL: 'https://a.example' };
    const config = folder.load(text, environment);
    expect(config.server.secrets).toEqual(['0123456789abcdef']);
    expect(config.registries[0]?.url).toBe('https://a.example');
  });

  it('is checked beside the file, and after it', () => {
    using folder = new ConfigFolder();
    const environment = { PORT: 'x', MARKETPLACE_DATA: join(folder.path, 'data') };
    expect(sentencesOf(() => folder.load('registries: []', environment)).map((line) => line.split(' ')[1])).toEqual([
      'registries',
      'PORT',
    ]);
    expect(sentencesOf(() => folder.load('registries: [', environment))).toHaveLength(2);
  });
});
