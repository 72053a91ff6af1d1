import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseConfigObject } from '../../src/config/load.ts';
import { listSecrets } from '../../src/config/secrets.ts';
import { createLogger, createMask, SecretMask } from '../../src/telemetry/logger.ts';
import { runInScope } from '../../src/telemetry/request-scope.ts';

function collect(secrets: readonly string[] = []) {
  const lines: string[] = [];
  const mask = new SecretMask();
  mask.hide(secrets);
  const log = createLogger({ level: 'debug', destination: { write: (line) => void lines.push(line) }, mask });
  return { log, lines, last: () => JSON.parse(lines.at(-1) ?? 'null') };
}

describe('a line of the log', () => {
  it('names the request and the operation for which it was written, however late that is', async () => {
    const { log, last } = collect();
    await runInScope({ requestId: 'r-1', operationName: 'Find', actor: null, trace: null }, async () => {
      await new Promise((resolve) => setImmediate(resolve));
      log.warn({ registry: 'official' }, 'a call to a registry failed');
    });
    expect(last()).toMatchObject({ requestId: 'r-1', operation: 'Find', registry: 'official' });
    log.info('stopping');
    expect(last()).not.toHaveProperty('requestId');
  });

  it('holds of an error its type, words and causes, and nothing that a library hung on it', () => {
    const { log, last } = collect();
    const cause = Object.assign(new TypeError('inner'), {
      request: { headers: { authorization: 'Bearer abcdefghij' } },
    });
    const error = Object.assign(new Error('outer', { cause }), { code: 'E_OUTER', response: 'everything' });
    log.error({ err: error }, 'failed');
    expect(last().err).toMatchObject({ type: 'Error', message: 'outer', code: 'E_OUTER', cause: { message: 'inner' } });
    expect(JSON.stringify(last())).not.toMatch(/everything|abcdefghij/);
  });

  it('follows causes that go in a circle to an end', () => {
    const { log, lines } = collect();
    const error = new Error('round');
    error.cause = error;
    log.error({ err: error }, 'failed');
    expect(lines).toHaveLength(1);
  });

  it.each([
    ['a bearer token', 'got Authorization: Bearer abc.def-ghi123', 'abc.def-ghi123'],
    ['basic credentials', 'sent Basic dXNlcjpwYXNzd29yZA==', 'dXNlcjpwYXNzd29yZA'],
    ['a JWT', 'token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl', 'eyJzdWIiOiIxIn0'],
    ['a password in an address', 'cannot reach https://user:hunter22@registry.example/', 'hunter22'],
  ])('does not hold %s, wherever it stands', (_, text, secret) => {
    const { log, lines } = collect();
    log.warn({ detail: text }, text);
    expect(lines.join()).not.toContain(secret);
  });

  it('does not hold what a whole request or answer carries under its usual names', () => {
    const { log, lines } = collect();
    log.warn(
      { authorization: 'canary-1', request: { headers: { 'x-api-key': 'canary-2' }, variables: 'canary-3' } },
      'x',
    );
    expect(lines.join()).not.toMatch(/canary/);
  });

  it('holds no secret of the configuration, in any form, whatever stands around it', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: 'binary', minLength: 6, maxLength: 40 }), { minLength: 1, maxLength: 4 }),
        fc.string({ unit: 'binary', maxLength: 20 }),
        (secrets, around) => {
          // What JSON itself consists of is found in every line.
          fc.pre(
            secrets.every((secret) => !JSON.stringify({ level: 0, time: 0, msg: '', detail: '' }).includes(secret)),
          );
          const { log, lines } = collect(secrets);
          for (const secret of secrets) log.warn({ detail: around + secret }, secret + around);
          for (const secret of secrets) {
            const written = lines.join('').replaceAll('[redacted]', '');
            expect(written.includes(JSON.stringify(secret).slice(1, -1))).toBe(false);
          }
        },
      ),
    );
  });

  it('stays JSON when a secret was blanked in it', () => {
    const { log, lines } = collect(['quo"ted\\secret']);
    log.warn({ detail: 'a quo"ted\\secret b' }, 'x');
    expect(lines.map((line) => JSON.parse(line).detail)).toEqual(['a [redacted] b']);
  });
});

describe('the secrets of a configuration', () => {
  it('are those of the server, of every kind of credentials, of webhooks, of proxies and of the database', () => {
    const registry = (name: string, more: object) => ({
      ...{ name, type: 'official', url: `https://${name}.example` },
      ...more,
    });
    const config = parseConfigObject({
      server: { secret: ['first secret 0123456789', 'second secret 0123456789'] },
      registries: [
        registry('a', {
          credentials: { type: 'token', token: 'token-of-a' },
          webhook: { secret: 'webhook secret of a' },
        }),
        registry('b', { credentials: { type: 'basic', username: 'user', password: 'password-of-b' } }),
        registry('c', { proxy: 'http://user:proxy%20secret@proxy.example:3128' }),
        registry('d', { proxy: 'http://user:100%-secret@proxy.example:3128' }),
      ],
    });
    const storage = { kind: 'postgres', url: 'postgres://user:database-secret@db.example/usage' } as const;
    expect(listSecrets({ ...config, storage })).toEqual(
      expect.arrayContaining([
        ...[
          'first secret 0123456789',
          'second secret 0123456789',
          'token-of-a',
          'webhook secret of a',
          'password-of-b',
        ],
        ...[Buffer.from('user:password-of-b').toString('base64'), 'proxy%20secret', 'proxy secret'],
        ...['100%-secret', 'database-secret'],
      ]),
    );
  });

  it('are blanked the longest first, so that no part of one is left', () => {
    expect(createMask(['secret', 'secret-longer'])('x secret-longer y')).toBe('x [redacted] y');
  });
});
