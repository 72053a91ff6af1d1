/** What pages of other sites can make a browser do: nothing, but for those that the configuration names. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { PATIENT } from '../helpers/clock-bound.ts';
import { type ServedRegistries, serveRegistries, wireTemplates } from '../server/serve-registries.ts';

const catalogs = { official: wireTemplates('template', 3) };
const settings = { official: { health: { interval: '1h' } } };
const PORTAL = 'https://portal.example.org';
const EVIL = 'https://evil.example';
const QUERY = '{ search(query: "template", first: 1) { nodes { name } } }';
const ADDRESS = `/graphql?query=${encodeURIComponent(QUERY)}`;

let closed: ServedRegistries;
let open: ServedRegistries;

beforeAll(async () => {
  closed = await serveRegistries({ catalogs, settings });
  open = await serveRegistries({
    catalogs,
    settings,
    server: { cors: { origins: [PORTAL], credentials: true, maxAge: '1h' }, strictTransportSecurity: '365d' },
  });
  // The first health checks are over by then: what arrives from here on is an attack's.
  for (const { origin } of [closed, open]) {
    await vi.waitFor(async () => expect((await fetch(`${origin}/readyz`)).status).toBe(200), PATIENT);
  }
});
afterAll(() => Promise.all([closed, open].map((served) => served[Symbol.asyncDispose]())));

describe('a page of another site', () => {
  it.each([
    ['text/plain', QUERY],
    ['text/plain', JSON.stringify({ query: QUERY })],
    ['text/plain; application/json', JSON.stringify({ query: QUERY })],
    ['application/x-www-form-urlencoded', `query=${encodeURIComponent(QUERY)}`],
    ['multipart/form-data; boundary=x', '--x\r\ncontent-disposition: form-data; name="operations"\r\n\r\n{}\r\n--x--'],
    ['', JSON.stringify({ query: QUERY })],
    ['application/graphql', QUERY],
  ])('cannot send an operation in a form that browsers send unasked: %s', async (contentType, body) => {
    for (const served of [closed, open]) {
      served.forgetArrivals();
      const headers = { origin: EVIL, 'sec-fetch-site': 'cross-site', 'content-type': contentType };
      const response = await fetch(`${served.origin}/graphql`, { method: 'POST', headers, body });
      expect(response.status).toBe(415);
      expect(response.headers.get('access-control-allow-origin')).toBeNull();
      expect(served.countArrivals()).toBe(0);
    }
  });

  it.each(['cross-site', 'same-site'])('cannot send one by GET (%s), from a picture or a script', async (site) => {
    for (const served of [closed, open]) {
      for (const mode of ['no-cors', 'cors']) {
        served.forgetArrivals();
        const headers = { origin: EVIL, 'sec-fetch-site': site, 'sec-fetch-mode': mode };
        expect((await fetch(served.origin + ADDRESS, { headers })).status).toBe(403);
        expect(served.countArrivals()).toBe(0);
      }
    }
  });

  it('is told nothing when it asks first, unless the configuration names it', async () => {
    const ask = async (served: ServedRegistries, origin: string) => {
      const { status, headers } = await fetch(`${served.origin}/graphql`, {
        method: 'OPTIONS',
        headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'content-type' },
      });
      return [status, headers.get('access-control-allow-origin'), headers.get('access-control-allow-headers') !== null];
    };
    expect(await ask(closed, PORTAL)).toEqual([405, null, false]);
    expect(await ask(open, EVIL)).toEqual([204, null, false]);
    for (const near of [
      `${PORTAL}.evil.example`,
      'http://portal.example.org',
      `${PORTAL}:8443`,
      'null',
      PORTAL.toUpperCase(),
    ])
      expect(await ask(open, near)).toEqual([204, null, false]);
    expect(await ask(open, PORTAL)).toEqual([204, PORTAL, true]);
  });

  it('that is named reads answers, also those that are given again, and caches keep them apart', async () => {
    for (let index = 0; index < 4; index += 1) {
      const headers = { origin: PORTAL, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'cors' };
      const response = await fetch(open.origin + ADDRESS, { headers });
      expect(response.status).toBe(200);
      expect(response.headers.get('access-control-allow-origin')).toBe(PORTAL);
      expect(response.headers.get('access-control-allow-credentials')).toBe('true');
      expect(response.headers.get('access-control-expose-headers')).toContain('RateLimit-Remaining');
      expect(response.headers.get('vary')).toMatch(/Accept.*Origin/);
    }
    const own = await fetch(open.origin + ADDRESS);
    expect(own.headers.get('access-control-allow-origin')).toBeNull();
    expect(own.headers.get('vary')).toMatch(/Accept.*Origin/);
    expect((await fetch(closed.origin + ADDRESS)).headers.get('vary')).not.toContain('Origin');
  });
});

describe('every answer', () => {
  it.each(['/', '/healthz', '/nothing', ADDRESS, '/graphql', '/content/official/x/1'])(
    'says that it is not to be sniffed, framed or told of: %s',
    async (path) => {
      const { headers } = await fetch(closed.origin + path);
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('referrer-policy')).toBe('no-referrer');
      expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
      expect(headers.get('strict-transport-security')).toBeNull();
      expect(headers.get('x-powered-by')).toBeNull();
    },
  );

  it('says that browsers come by https alone, to who comes by https, where that is configured', async () => {
    const ask = async (headers: Record<string, string>) =>
      (await fetch(open.origin + ADDRESS, { headers })).headers.get('strict-transport-security');
    expect(await ask({ 'x-forwarded-proto': 'https' })).toBe('max-age=31536000');
    expect(await ask({})).toBeNull();
  });
});

describe('headers that a request brings', () => {
  it.each([
    ['x-request-id', 'a\tb'],
    ['x-request-id', 'x'.repeat(5000)],
    ['x-forwarded-proto', 'https://evil.example'],
    ['x-forwarded-host', 'evil.example'],
    ['host', 'evil.example/path'],
    ['origin', 'https://evil.example\u00e9'],
    ['traceparent', '00-x'],
  ])('come back in no header of the answer: %s', async (name, value) => {
    const response = await fetch(closed.origin + ADDRESS, { headers: { [name]: value } }).catch(() => null);
    const told = JSON.stringify([...(response?.headers ?? [])]);
    expect(told).not.toContain(value.slice(0, 200));
    expect(told).not.toContain('evil');
  });
});
