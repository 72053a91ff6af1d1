/** A registry says that a template of it has changed, and the gateway believes it at once. */
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { type FaultyRegistry, startFaultyRegistry } from '../helpers/faulty-registry.ts';
import type { WireTemplate } from '../helpers/faulty-registry-catalog.ts';
import { HeldTrail } from '../helpers/held-trail.ts';
import { serveFixture } from './serve-fixture.ts';
import { serveRegistries } from './serve-registries.ts';
import { announceChange, sendWebhook, signWebhook } from './webhook.ts';

const SECRET = 'a secret of one registry';
const OTHER_SECRET = 'the secret of another one';

function row(name: string, category: string, version = '1.0.0', more: Partial<WireTemplate> = {}): WireTemplate {
  return { name, version, title: `The ${name}`, category, ...more };
}

async function serve(registries: Readonly<Record<string, FaultyRegistry>>, settings: Record<string, object> = {}) {
  const secrets: Record<string, string> = { one: SECRET, two: OTHER_SECRET };
  return await serveRegistries({
    catalogs: {},
    more: Object.entries(registries).map(([name, { url }]) => ({
      ...{ name, type: 'official', url, retry: { attempts: 0 } },
      ...(secrets[name] && { webhook: { secret: secrets[name] } }),
      ...settings[name],
    })),
  });
}

type Served = Awaited<ReturnType<typeof serve>>;

function list(category: string): string {
  return `{ search(filter: { categories: ["${category}"] }, orderBy: { field: NAME }) {
    totalCount totalCountAccuracy nodes { name version registry { name } } } }`;
}

async function namesOf(served: Served, query: string): Promise<string[]> {
  const { data, errors } = await served.ask(query);
  expect(errors).toEqual([]);
  const { nodes, totalCount } = (data as { search: { nodes: { name: string; version: string }[]; totalCount: number } })
    .search;
  expect(totalCount).toBe(nodes.length);
  return nodes.map(({ name, version }) => `${name} ${version}`);
}

const LOOK_UP = '{ template(name: "t-ml", registry: "one") { name version category } }';

/** What is asked of the registry by `work`, look-ups apart from searches. */
async function countAsked(registry: FaultyRegistry, work: () => Promise<unknown>) {
  registry.forgetArrivals();
  await work();
  return {
    searches: registry.arrivalsAt('/api/v1/search').length,
    lookUps: registry.arrivalsAt('/api/v1/templates/').length,
  };
}

const CATALOG = [row('t-bio', 'bio'), row('t-chem', 'chem'), row('t-ml', 'ml')];

describe('a template that a registry has announced as changed', () => {
  it('is as it is now in the next answer, while lists that cannot hold it and other registries are not asked again', async () => {
    await using one = await startFaultyRegistry({ rows: CATALOG });
    await using two = await startFaultyRegistry({ rows: [row('u-ml', 'ml')] });
    await using served = await serve({ one, two });
    const all = async () => {
      for (const category of ['ml', 'bio', 'chem']) await served.ask(list(category));
    };
    await all();
    await served.ask(LOOK_UP);
    one.remove('t-ml');
    one.insert(row('t-ml', 'bio', '2.0.0'));
    expect(await namesOf(served, list('ml'))).toEqual(['t-ml 1.0.0', 'u-ml 1.0.0']);

    two.forgetArrivals();
    const told = await countAsked(one, async () => {
      expect(await announceChange(served.origin, 'one', SECRET, 't-ml')).toBe(202);
    });
    expect(told).toEqual({ searches: 0, lookUps: 1 });
    const asked = async (category: string, names: readonly string[]) =>
      (await countAsked(one, async () => expect(await namesOf(served, list(category))).toEqual(names))).searches;
    expect(await asked('chem', ['t-chem 1.0.0'])).toBe(0);
    expect(await asked('ml', ['u-ml 1.0.0'])).toBe(1);
    expect(await asked('bio', ['t-bio 1.0.0', 't-ml 2.0.0'])).toBe(1);
    expect(two.arrivalsAt('/api/v1/')).toHaveLength(0);
    // What was looked up for it answers the look-up, and is the state before the next change.
    const lookUp = await countAsked(one, async () =>
      expect((await served.ask(LOOK_UP)).data).toMatchObject({ template: { version: '2.0.0', category: 'bio' } }),
    );
    expect(lookUp.lookUps).toBe(0);
    one.remove('t-ml');
    await announceChange(served.origin, 'one', SECRET, 't-ml');
    expect(await asked('ml', ['u-ml 1.0.0'])).toBe(0);
    expect(await asked('bio', ['t-bio 1.0.0'])).toBe(1);
  });

  it('drops every list of the registry where its state before is not known', async () => {
    await using one = await startFaultyRegistry({ rows: CATALOG });
    await using served = await serve({ one });
    await served.ask(list('chem'));
    one.remove('t-ml');
    one.insert(row('t-ml', 'bio', '2.0.0'));
    await announceChange(served.origin, 'one', SECRET, 't-ml');
    expect((await countAsked(one, () => served.ask(list('chem')))).searches).toBe(1);
  });

  it('drops every list where what is remembered was looked up after the change', async () => {
    await using one = await startFaultyRegistry({ rows: CATALOG });
    await using served = await serve({ one });
    await served.ask(list('ml'));
    one.remove('t-ml');
    one.insert(row('t-ml', 'bio', '2.0.0'));
    await served.ask(LOOK_UP);
    await announceChange(served.origin, 'one', SECRET, 't-ml');
    expect(await namesOf(served, list('ml'))).toEqual([]);
  });

  it('drops every list, and every old answer, where the registry does not say how the template is now', async () => {
    await using one = await startFaultyRegistry({ rows: CATALOG });
    await using served = await serve({ one });
    await served.ask(list('chem'));
    await served.ask(LOOK_UP);
    await one.setMode('reset');
    expect(await announceChange(served.origin, 'one', SECRET, 't-ml')).toBe(202);
    await one.setMode('ok');
    one.insert(row('t-new', 'chem'));
    expect(await namesOf(served, list('chem'))).toEqual(['t-chem 1.0.0', 't-new 1.0.0']);
  });

  it.each([
    ['a search', 1, { claimsTotalOrder: true }],
    ['the reading of a list that is sorted here', 2, { ignoresSort: true }],
  ])('is not given as it was to whoever could join %s that was begun before', async (_, underWay, behaviour) => {
    await using one = await startFaultyRegistry({ rows: CATALOG, behaviour });
    await using served = await serve({ one });
    await one.setMode({ slowMs: 200 }, (path) => path.endsWith('/search'));
    const before = served.ask(list('bio'));
    await one.whenArrived(underWay);
    one.insert(row('t-new', 'bio'));
    await announceChange(served.origin, 'one', SECRET, 't-new');
    expect(await namesOf(served, list('bio'))).toEqual(['t-bio 1.0.0', 't-new 1.0.0']);
    await before;
    expect(one.arrivalsAt()).toHaveLength(underWay + 1);
  });

  it('is taken note of however its name is spelt', async () => {
    await using one = await startFaultyRegistry({ rows: [row('lab/Tool', 'ml')] });
    await using served = await serve({ one });
    await served.ask(list('ml'));
    one.remove('lab/Tool');
    await announceChange(served.origin, 'one', SECRET, 'LAB%2Ftool');
    expect(await namesOf(served, list('ml'))).toEqual([]);
  });

  it('takes the place of others of its name at once, and no other name is asked about for it', async () => {
    const rows = (prefix: string, most: number) =>
      Array.from({ length: 300 }, (_, index) => row(`${prefix}-${index}`, 'ml', '1', { downloads: most - index }));
    await using one = await startFaultyRegistry({ rows: rows('low', 1_000), behaviour: { claimsTotalOrder: true } });
    await using two = await startFaultyRegistry({ rows: rows('high', 9_000), behaviour: { claimsTotalOrder: true } });
    await using served = await serve({ one, two });
    // Each other category makes another list, of which nothing is kept yet; the same rows are in it.
    const page = async (other: string, after: string | null = null) => {
      const { data } = await served.ask(
        `query ($categories: [String!], $after: String) { search(first: 20, after: $after,
          orderBy: { field: POPULARITY }, filter: { categories: $categories }) { nodes { name } pageInfo { endCursor } } }`,
        { categories: ['ml', other], after },
      );
      return (data as { search: { nodes: { name: string }[]; pageInfo: { endCursor: string } } }).search;
    };
    const namesAsked = () => one.arrivalsAt().flatMap(({ query }) => query.getAll('name'));
    // Each page asks the first registry about its names, until it pays to list them all: 250 at a time.
    const isListing = () => one.arrivalsAt().some(({ query }) => query.get('limit') === '250');
    let cursor: string | null = null;
    for (let pages = 0; pages < 14 && !isListing(); pages += 1) cursor = (await page('a', cursor)).pageInfo.endCursor;
    expect(isListing()).toBe(true);
    let lists = 0;
    await expect
      .poll(async () => {
        one.forgetArrivals();
        lists += 1;
        await page(`b${lists}`);
        return namesAsked();
      })
      .toEqual([]);

    one.insert(row('high-0', 'ml', '1', { downloads: 1 }));
    expect((await page('c')).nodes[0]?.name).toBe('high-0');
    await announceChange(served.origin, 'one', SECRET, 'high-0');
    one.forgetArrivals();
    expect((await page('c')).nodes[0]?.name).toBe('high-1');
    expect(namesAsked()).toEqual(['high-0']);
  });
});

const BODY = '{"event":"template.changed","name":"t-ml","version":"2.0.0"}';
const MINUTES_6 = 360_000;

describe("a webhook that is not a registry's own word", () => {
  it.each<[string, string, string, string | null, number]>([
    ['that is not signed', 'one', BODY, null, 401],
    ['that is signed with another secret', 'one', BODY, signWebhook('another secret, long enough', BODY), 401],
    ["that is signed with another registry's secret", 'one', BODY, signWebhook(OTHER_SECRET, BODY), 401],
    ['whose body was changed', 'one', BODY.replace('t-ml', 't-bio'), signWebhook(SECRET, BODY), 401],
    [
      'whose time was changed',
      'one',
      BODY,
      signWebhook(SECRET, BODY, 0).replace('t=0', `t=${Math.floor(Date.now() / 1000)}`),
      401,
    ],
    ['that was signed six minutes ago', 'one', BODY, signWebhook(SECRET, BODY, Date.now() - MINUTES_6), 401],
    ['that will be signed in six minutes', 'one', BODY, signWebhook(SECRET, BODY, Date.now() + MINUTES_6), 401],
    ['with two signatures', 'one', BODY, `${signWebhook('x', BODY)}, ${signWebhook(SECRET, BODY)}`, 401],
    ['with half a signature', 'one', BODY, signWebhook(SECRET, BODY).slice(0, -32), 401],
    ['with a signature that is no hexadecimal', 'one', BODY, `t=1,v1=${'zz'.repeat(32)}`, 401],
    ['with a time that is no number', 'one', BODY, signWebhook(SECRET, BODY).replace('t=', 't=-'), 401],
    ['for a registry without a secret', 'three', BODY, signWebhook(SECRET, BODY), 404],
    ['for no registry', 'four', BODY, signWebhook(SECRET, BODY), 404],
    ['for a member of every object', '__proto__', BODY, signWebhook(SECRET, BODY), 404],
    ['for a registry behind dots', '..%2fwebhooks%2fone', BODY, signWebhook(SECRET, BODY), 404],
    ['for a registry below another', 'one/two', BODY, signWebhook(SECRET, BODY), 404],
    ['for a registry with a line break', 'one%0d%0aX-Evil:%201', BODY, signWebhook(SECRET, BODY), 404],
    ['for a registry whose name is too long', 'o'.repeat(5000), BODY, signWebhook(SECRET, BODY), 404],
    ['that is too large', 'one', `"${'x'.repeat(66_000)}"`, signWebhook(SECRET, `"${'x'.repeat(66_000)}"`), 413],
    ['that is no JSON', 'one', 'template.changed', signWebhook(SECRET, 'template.changed'), 400],
    ['that is no object', 'one', '"template.changed"', signWebhook(SECRET, '"template.changed"'), 400],
    ['that is nothing', 'one', 'null', signWebhook(SECRET, 'null'), 400],
    ['that is empty', 'one', '', signWebhook(SECRET, ''), 400],
    ...(
      [
        ['of an event that is not known', '{"event":"template.exploded","name":"t-ml"}'],
        ['without a name', '{"event":"template.changed"}'],
        ['with a list of names', '{"event":"template.changed","name":["t-ml"]}'],
        ['with an empty name', '{"event":"template.changed","name":""}'],
        ['with a control character in the name', '{"event":"template.changed","name":"t\\u0000ml"}'],
        ['with a name that is too long', `{"event":"template.changed","name":"${'x'.repeat(501)}"}`],
        [
          'with a version that is too long',
          `{"event":"template.changed","name":"t-ml","version":"${'x'.repeat(501)}"}`,
        ],
        ['with a version that is a number', '{"event":"template.changed","name":"t-ml","version":2}'],
      ] as const
    ).map(([what, body]): [string, string, string, string, number] => [
      what,
      'one',
      body,
      signWebhook(SECRET, body),
      400,
    ]),
  ])('%s is refused, asks no registry and drops nothing', async (_, path, body, signature, status) => {
    await using one = await startFaultyRegistry({ rows: CATALOG });
    await using two = await startFaultyRegistry();
    await using three = await startFaultyRegistry();
    await using served = await serve({ one, two, three });
    await served.ask(list('ml'));
    const registries = [one, two, three];
    for (const registry of registries) registry.forgetArrivals();
    const answer = await sendWebhook(served.origin, path, body, signature);
    expect(answer.status).toBe(status);
    expect(answer.headers.get('x-evil')).toBeNull();
    expect(answer.text).not.toContain(SECRET);
    await served.ask(list('ml'));
    expect(registries.flatMap((registry) => registry.arrivalsAt('/api/v1/'))).toEqual([]);
    expect(JSON.stringify(served.logLines)).not.toContain(SECRET);
  });

  it('is served once: a repetition is refused and asks nobody', async () => {
    await using one = await startFaultyRegistry({ rows: CATALOG });
    await using served = await serve({ one });
    const signature = signWebhook(SECRET, BODY);
    expect((await sendWebhook(served.origin, 'one', BODY, signature)).status).toBe(202);
    one.forgetArrivals();
    expect((await sendWebhook(served.origin, 'one', BODY, signature)).status).toBe(409);
    expect(
      (await sendWebhook(served.origin, 'one', BODY, signature.toUpperCase().replace('T=', 't=').replace('V1=', 'v1=')))
        .status,
    ).toBe(409);
    expect(one.arrivals).toEqual([]);
  });

  it('may come again where it could not be put on record', async () => {
    const audit = new HeldTrail();
    const registry = {
      name: 'official',
      type: 'official',
      url: 'https://registry.example',
      webhook: { secret: SECRET },
    };
    await using served = await serveFixture({ audit, document: { registries: [registry] } });
    const signature = signWebhook(SECRET, BODY);
    const send = async () => (await sendWebhook(served.origin, 'official', BODY, signature)).status;
    audit.isDown = true;
    expect(await send()).toBe(503);
    audit.isDown = false;
    expect([await send(), await send()]).toEqual([202, 409]);
  });

  it('says which events there are', async () => {
    await using one = await startFaultyRegistry();
    await using served = await serve({ one });
    const body = '{"event":"template.exploded"}';
    expect((await sendWebhook(served.origin, 'one', body, signWebhook(SECRET, body))).text).toContain(
      'template.changed',
    );
  });

  it('can only be sent by POST, and is cut off where its length is not told', async () => {
    await using one = await startFaultyRegistry();
    await using served = await serve({ one });
    for (const path of ['one', 'none']) {
      const { status, headers } = await sendWebhook(served.origin, path, '', null, 'GET');
      expect([status, headers.get('allow')]).toEqual([405, 'POST']);
    }
    const { hostname, port } = new URL(served.origin);
    const answered = await new Promise<string>((resolve, reject) => {
      const socket = connect(Number(port), hostname);
      socket.on('error', reject).once('data', (data) => {
        resolve(data.toString());
        socket.destroy();
      });
      socket.write('POST /webhooks/one HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n');
      socket.write(`${(70_000).toString(16)}\r\n${'x'.repeat(70_000)}\r\n`);
    });
    expect(answered).toMatch(/^HTTP\/1\.1 413 /);
  });
});

describe('who may not see a registry', () => {
  it('cannot tell from its webhook that there is one', async () => {
    await using one = await startFaultyRegistry({ rows: CATALOG });
    await using two = await startFaultyRegistry();
    await using served = await serve({ one, two }, { one: { access: { roles: ['researcher'] } } });
    const ask = async (name: string) => {
      const { status, text } = await sendWebhook(served.origin, name, BODY, signWebhook(OTHER_SECRET, BODY));
      return { status, text };
    };
    expect(await ask('one')).toEqual(await ask('nobody'));
    // Both are on record, and so take as long.
    const refusals = served.logLines.filter(({ msg }) => msg === 'a webhook was refused');
    expect(refusals.map(({ registry, verdict }) => [registry, verdict])).toEqual([
      ['one', 'FORGED'],
      ['nobody', 'UNKNOWN'],
    ]);
    expect(await announceChange(served.origin, 'one', SECRET, 't-ml')).toBe(202);
  });
});

describe('a gateway that denies anonymous callers', () => {
  it('takes the signature for the credential of a webhook, and tells nobody else which registries there are', async () => {
    await using one = await startFaultyRegistry({ rows: CATALOG });
    await using served = await serveRegistries({
      catalogs: {},
      more: [{ name: 'one', type: 'official', url: one.url, webhook: { secret: SECRET } }],
      auth: { anonymous: 'deny' },
    });
    expect(await announceChange(served.origin, 'one', SECRET, 't-ml')).toBe(202);
    const refused = await Promise.all(['one', 'none'].map((name) => sendWebhook(served.origin, name, BODY, null)));
    expect(refused.map(({ status, text }) => [status, text])).toEqual([
      [404, refused[0]?.text],
      [404, refused[0]?.text],
    ]);
  });
});
