import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createAuthenticator } from '../../src/access/authenticate.ts';
import { Unauthenticated } from '../../src/access/errors.ts';

const sha256 = (key: string) => createHash('sha256').update(key).digest('hex');
const apiKeys = [
  { id: 'dashboards', sha256: sha256('key-of-dashboards'), roles: ['viewer'], groups: [] },
  { id: 'physics', sha256: sha256('key-of-physics=='), roles: ['researcher'], groups: ['physics'] },
];
const allowing = createAuthenticator({ anonymous: 'allow', apiKeys });
const denying = createAuthenticator({ anonymous: 'deny', apiKeys });

describe('who calls', () => {
  it.each([
    { authorization: 'Bearer key-of-physics==', apiKey: undefined },
    { authorization: 'bearer   key-of-physics== ', apiKey: undefined },
    { authorization: undefined, apiKey: 'key-of-physics==' },
    { authorization: 'Bearer key-of-physics==', apiKey: 'key-of-physics==' },
  ])('is known by an API key: %j', (given) => {
    const physics = { authenticated: true, subject: 'physics', roles: ['researcher'], groups: ['physics'] };
    expect(allowing(given)).toEqual(physics);
    expect(denying(given)).toEqual(physics);
  });

  it('is nobody in particular without a key, where that is allowed', () => {
    const nobody = { authenticated: false, subject: null, roles: [], groups: [] };
    expect(allowing({ authorization: undefined, apiKey: undefined })).toEqual(nobody);
    expect(() => denying({ authorization: undefined, apiKey: undefined })).toThrow(Unauthenticated);
  });

  it.each([
    { authorization: 'Bearer unknown', apiKey: undefined },
    { authorization: 'Bearer ', apiKey: undefined },
    { authorization: 'Bearer key-of-physics== and-more', apiKey: undefined },
    { authorization: 'Basic a2V5LW9mLXBoeXNpY3M9PQ==', apiKey: undefined },
    { authorization: 'key-of-physics==', apiKey: undefined },
    { authorization: '', apiKey: undefined },
    { authorization: `Bearer ${sha256('key-of-physics==')}`, apiKey: undefined },
    { authorization: `Bearer ${'x'.repeat(100_000)}`, apiKey: undefined },
    { authorization: undefined, apiKey: '' },
    { authorization: undefined, apiKey: 'key-of-physics==, key-of-dashboards' },
    { authorization: 'Basic abc', apiKey: 'key-of-physics==' },
    { authorization: 'Bearer key-of-dashboards', apiKey: 'key-of-physics==' },
  ])('is refused with credentials that are not one known key, and never taken for anonymous: %#', (given) => {
    expect(() => allowing(given)).toThrow(Unauthenticated);
    expect(() => denying(given)).toThrow(Unauthenticated);
  });
});
