import { describe, expect, it } from 'vitest';
import { type FaultyRegistry, startFaultyRegistry } from '../helpers/faulty-registry.ts';
import { sendWebhook, signWebhook } from '../server/webhook.ts';
import { configOf, type RegistryMembers, serveChanging } from './serve-changing.ts';

/** As many rows, named `prefix-000`, ...; the first is the most popular. */
function rowsOf(prefix: string, count: number) {
  return Array.from({ length: count }, (_, index) => ({
    name: `${prefix}-${String(index).padStart(3, '0')}`,
    version: '1.0.0',
    downloads: 10_000 - index,
  }));
}

const membersOf = (name: string, { url }: FaultyRegistry, more: Record<string, unknown> = {}): RegistryMembers => ({
  name,
  url,
  ...more,
});

const SEARCH = `query ($first: Int!, $after: String, $query: String) {
  registries { name }
  search(query: $query, first: $first, after: $after, orderBy: { field: POPULARITY }, collapse: false) {
    partial nodes { name registry { name } } registries { registry { name } outcome }
    pageInfo { hasNextPage endCursor }
  }
}`;

interface Page {
  readonly registries: readonly { name: string }[];
  readonly search: {
    readonly partial: boolean;
    readonly nodes: readonly { name: string; registry: { name: string } }[];
    readonly registries: readonly { registry: { name: string }; outcome: string }[];
    readonly pageInfo: { hasNextPage: boolean; endCursor: string };
  };
}

/** The registries that an answer shows, in its three ways of showing them. */
function shownBy({ registries, search }: Page): string[] {
  const listed = registries.map(({ name }) => name).join();
  const reported = search.registries.map(({ registry }) => registry.name).join();
  const seen = [...new Set(search.nodes.map(({ registry }) => registry.name))].toSorted();
  const all = registries.map(({ name }) => name).toSorted();
  return [...new Set([listed, reported, all.join() === seen.join() ? listed : `only rows of ${seen.join()}`])];
}

describe('another configuration', () => {
  it('comes in ten times under load without one request that fails, or sees two configurations', async () => {
    const [one, two, three] = await Promise.all(
      ['one', 'two', 'three'].map((name) => startFaultyRegistry({ rows: rowsOf(name, 20) })),
    );
    if (!one || !two || !three) throw new Error('three registries must be there');
    const configurations: RegistryMembers[][] = [
      [membersOf('one', one), membersOf('two', two)],
      [membersOf('three', three), membersOf('one', one)],
      [membersOf('two', two, { timeouts: { search: '19s' } }), membersOf('three', three), membersOf('one', one)],
      [membersOf('one', one, { access: { roles: ['nobody'] } }), membersOf('two', two)],
    ];
    const allowed = new Set(['one,two', 'three,one', 'two,three,one', 'two']);
    const [first, ...rest] = configurations;
    await using served = await serveChanging(first ?? []);
    const failures: unknown[] = [];
    const seen = new Map<string, number>();
    let isOver = false;
    let asked = 0;
    const client = async (query: string | null) => {
      while (!isOver) {
        asked += 1;
        const { status, data, errors } = await served.ask(SEARCH, { first: 100, query });
        const page = data as Page;
        const [shown = '', ...others] = status === 200 && errors.length === 0 ? shownBy(page) : [`status ${status}`];
        if (others.length > 0 || !allowed.has(shown) || page.search.partial) failures.push([shown, ...others, errors]);
        seen.set(shown, (seen.get(shown) ?? 0) + 1);
      }
    };
    // Equal requests come from what is kept, others are made anew.
    const clients = ['', '', 'one', 'two', null, null].map((_, index) => client(index < 3 ? null : ' '.repeat(index)));
    for (let round = 0; round < 10; round += 1) {
      const before = asked;
      await served.reload(configurations[(round + 1) % configurations.length] ?? rest[0] ?? []);
      await expect.poll(() => asked, { timeout: 15_000 }).toBeGreaterThan(before + 20);
    }
    isOver = true;
    await Promise.all(clients);
    expect(failures).toEqual([]);
    expect([...seen.keys()].toSorted()).toEqual([...allowed].toSorted());
    await Promise.all([one, two, three].map((registry) => registry.close()));
  });

  it('leaves a request that is under way to the registries that it began with', async () => {
    await using stays = await startFaultyRegistry({ rows: rowsOf('stays', 3) });
    await using leaves = await startFaultyRegistry({ rows: rowsOf('leaves', 3) });
    await using comes = await startFaultyRegistry({ rows: rowsOf('comes', 3) });
    await using served = await serveChanging([membersOf('stays', stays), membersOf('leaves', leaves)]);
    await leaves.setMode({ slowMs: 300 });
    const underWay = served.ask(SEARCH, { first: 100 });
    await leaves.whenArrived(1);
    await served.reload([membersOf('stays', stays), membersOf('comes', comes)]);
    const after = await served.ask(SEARCH, { first: 100 });
    expect(shownBy(after.data as Page)).toEqual(['stays,comes']);
    const { data } = await underWay;
    expect(shownBy(data as Page)).toEqual(['stays,leaves']);
    expect((data as Page).search.partial).toBe(false);
  });

  it('lets go of the registries that it has not: no connection, no health check, no metric', async () => {
    await using stays = await startFaultyRegistry({ rows: rowsOf('stays', 3) });
    await using leaves = await startFaultyRegistry({ rows: rowsOf('leaves', 3) });
    const checked = { health: { interval: '50ms' } };
    await using served = await serveChanging([
      membersOf('stays', stays, checked),
      membersOf('leaves', leaves, checked),
    ]);
    await served.ask(SEARCH, { first: 10 });
    await leaves.whenArrived(3, '/health');
    await served.reload([membersOf('stays', stays, checked)]);
    await expect.poll(() => leaves.openConnections).toBe(0);
    leaves.forgetArrivals();
    stays.forgetArrivals();
    await stays.whenArrived(3, '/health');
    expect(leaves.arrivals).toEqual([]);
    const { errors } = await served.ask('{ registry(name: "leaves") { name } }');
    expect(errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT' } }]);
  });

  it('keeps what it has as it was: connections, circuits, counts and answers, whatever stands beside it', async () => {
    await using stays = await startFaultyRegistry({ rows: rowsOf('stays', 3) });
    await using fails = await startFaultyRegistry({ rows: rowsOf('fails', 3) });
    await using other = await startFaultyRegistry({ rows: rowsOf('other', 3) });
    await using comes = await startFaultyRegistry({ rows: rowsOf('comes', 3) });
    const failing = membersOf('fails', fails, { retry: { attempts: 0 }, circuit: { volumeThreshold: 1 } });
    await using served = await serveChanging([membersOf('stays', stays), failing, membersOf('other', other)]);
    await fails.setMode({ status: 500 });
    await served.ask(SEARCH, { first: 10 });
    const made = stays.connectionsMade;
    stays.forgetArrivals();
    await served.reload([
      membersOf('comes', comes),
      { ...failing, claims: ['fails/*'], priority: 500 },
      membersOf('stays', stays, { claims: ['stays/*'] }),
      membersOf('other', other),
    ]);
    const { data } = await served.ask(`{
      search(first: 10, orderBy: { field: POPULARITY }, collapse: false) { registries { registry { name } outcome cache } }
      registries { name metrics { requests circuitOpens } health { status circuit } }
    }`);
    expect(data).toEqual({
      search: {
        registries: [
          { registry: { name: 'comes' }, outcome: 'OK', cache: 'MISS' },
          { registry: { name: 'stays' }, outcome: 'OK', cache: 'HIT' },
          { registry: { name: 'other' }, outcome: 'OK', cache: 'HIT' },
          { registry: { name: 'fails' }, outcome: 'SKIPPED', cache: 'BYPASS' },
        ],
      },
      registries: [
        { name: 'comes', metrics: { requests: expect.any(Number), circuitOpens: 0 }, health: expect.anything() },
        { name: 'stays', metrics: { requests: 1, circuitOpens: 0 }, health: { status: 'UP', circuit: 'CLOSED' } },
        { name: 'other', metrics: { requests: 1, circuitOpens: 0 }, health: { status: 'UP', circuit: 'CLOSED' } },
        { name: 'fails', metrics: { requests: 1, circuitOpens: 1 }, health: { status: 'DOWN', circuit: 'OPEN' } },
      ],
    });
    expect(stays.arrivals).toEqual([]);
    expect(stays.connectionsMade).toBe(made);
  });

  it('opens a registry anew that is called in another way, and goes on with what was counted of it', async () => {
    await using registry = await startFaultyRegistry({ rows: rowsOf('one', 3) });
    await using served = await serveChanging([membersOf('one', registry)]);
    const counts = '{ registry(name: "one") { metrics { requests } } }';
    await served.ask(SEARCH, { first: 10, query: 'a' });
    const made = registry.connectionsMade;
    await served.reload([membersOf('one', registry, { timeouts: { search: '18s' } })]);
    await served.ask(SEARCH, { first: 10, query: 'b' });
    expect(registry.connectionsMade).toBeGreaterThan(made);
    expect((await served.ask(counts)).data).toEqual({ registry: { metrics: { requests: 2 } } });
    await served.reload([membersOf('one', registry, { credentials: { type: 'token', token: 'another' } })]);
    registry.forgetArrivals();
    await served.ask(SEARCH, { first: 10, query: 'b' });
    // What was answered to other credentials is nobody else's.
    expect(registry.arrivalsAt()).toMatchObject([{ headers: { authorization: 'Bearer another' } }]);
  });

  it('leaves nothing behind of those that it replaces, however many come', async () => {
    await using one = await startFaultyRegistry({ rows: rowsOf('one', 3) });
    await using two = await startFaultyRegistry({ rows: rowsOf('two', 3) });
    const checked = { health: { interval: '1h' } };
    const configurations = [
      [membersOf('one', one, checked)],
      [membersOf('two', two, checked), membersOf('one', one, { ...checked, timeouts: { search: '19s' } })],
    ];
    await using served = await serveChanging(configurations[0] ?? []);
    const countTimers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const change = async (round: number) => {
      await served.reload(configurations[round % 2] ?? []);
      await served.ask(SEARCH, { first: 10, query: String(round) });
    };
    for (let round = 1; round <= 4; round += 1) await change(round);
    await expect.poll(() => two.openConnections).toBe(0);
    const [timers, connections] = [countTimers(), one.openConnections];
    for (let round = 1; round <= 40; round += 1) await change(round);
    await expect.poll(() => two.openConnections, { timeout: 15_000 }).toBe(0);
    await expect.poll(() => one.openConnections, { timeout: 15_000 }).toBeLessThanOrEqual(connections + 1);
    await expect.poll(countTimers, { timeout: 15_000 }).toBeLessThan(timers + 10);
  });

  it('goes on with a walk: what stays comes exactly once, what comes joins behind, what leaves is gone', async () => {
    await using stays = await startFaultyRegistry({ rows: rowsOf('stays', 60) });
    await using leaves = await startFaultyRegistry({ rows: rowsOf('leaves', 60) });
    await using comes = await startFaultyRegistry({ rows: rowsOf('comes', 60) });
    await using served = await serveChanging([membersOf('leaves', leaves), membersOf('stays', stays)]);
    const names: string[] = [];
    let after: string | null = null;
    for (let page = 0; ; page += 1) {
      const { data, errors } = await served.ask(SEARCH, { first: 13, after });
      expect(errors).toEqual([]);
      const { nodes, pageInfo } = (data as Page).search;
      names.push(...nodes.map(({ name }) => name));
      if (!pageInfo.hasNextPage) break;
      after = pageInfo.endCursor;
      if (page === 2) await served.reload([membersOf('stays', stays), membersOf('comes', comes)]);
    }
    expect(new Set(names).size).toBe(names.length);
    const startingWith = (prefix: string) => names.filter((name) => name.startsWith(prefix));
    expect(startingWith('stays')).toEqual(rowsOf('stays', 60).map(({ name }) => name));
    expect(startingWith('leaves').length).toBeLessThan(30);
    expect(startingWith('comes').length).toBeGreaterThan(30);
  });

  it('takes no webhook again that the one before has served', async () => {
    await using registry = await startFaultyRegistry({ rows: rowsOf('one', 3) });
    const members = membersOf('one', registry, { webhook: { secret: 'of the webhook, 0123456789' } });
    await using served = await serveChanging([members]);
    const body = JSON.stringify({ event: 'template.changed', name: 'one-000', version: '1' });
    const signature = signWebhook('of the webhook, 0123456789', body);
    expect((await sendWebhook(served.origin, 'one', body, signature)).status).toBe(202);
    await served.reload([members], { server: { limits: { depth: 9 } } });
    expect((await sendWebhook(served.origin, 'one', body, signature)).status).toBe(409);
  });

  it('is on record before it is used, with the names of what has changed', async () => {
    await using registry = await startFaultyRegistry({ rows: rowsOf('one', 3) });
    const members = membersOf('one', registry);
    const [id, sha256] = ['auditors', '2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b'];
    const auth = { auth: { apiKeys: [{ id, sha256, roles: ['auditor'] }] } };
    await using served = await serveChanging([members], auth);
    await served.reload([members, membersOf('two', registry)], { ...auth, server: { introspection: false } });
    const { data } = await served.ask(
      '{ auditEvents(first: 5, filter: { action: "configuration.change" }) { nodes { actor outcome detail } } }',
      {},
      { 'x-api-key': 'secret' },
    );
    expect(data).toEqual({
      auditEvents: {
        nodes: [
          {
            ...{ actor: 'gateway', outcome: 'SUCCEEDED' },
            detail: expect.stringMatching(/^fingerprint [0-9a-f]{32}; added: two; other parts: server$/),
          },
          // What the process has started with.
          { actor: 'gateway', outcome: 'SUCCEEDED', detail: expect.stringMatching(/^fingerprint [0-9a-f]{32}$/) },
        ],
      },
    });
  });

  it('is not begun with when a registry of it cannot be opened', async () => {
    await using stays = await startFaultyRegistry({ rows: rowsOf('stays', 3) });
    await using served = await serveChanging([membersOf('stays', stays)]);
    await using other = await startFaultyRegistry();
    const wanted = configOf([membersOf('good', other), membersOf('bad', other)]);
    const credentials = { type: 'ssh_key', key: 'no key at all', passphrase: null } as const;
    const registries = wanted.registries.map((each) => (each.name === 'bad' ? { ...each, credentials } : each));
    await expect(served.gateway.reload({ ...wanted, registries })).rejects.toThrow('bad');
    const { data } = await served.ask(SEARCH, { first: 10 });
    expect(shownBy(data as Page)).toEqual(['stays']);
    expect(other.arrivals).toEqual([]);
  });

  it('holds its limits, its keys and its rights from its first request on', async () => {
    await using registry = await startFaultyRegistry({ rows: rowsOf('one', 3) });
    const members = membersOf('one', registry);
    await using served = await serveChanging([members]);
    const [id, sha256] = ['dashboards', '2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b'];
    const page = { first: 10 };
    expect((await served.ask(SEARCH, page)).status).toBe(200);
    expect((await served.ask(SEARCH, page)).status).toBe(200);
    await served.reload([members], { auth: { anonymous: 'deny', apiKeys: [{ id, sha256 }] } });
    expect((await served.ask(SEARCH, page)).status).toBe(401);
    expect((await served.ask(SEARCH, page, { 'x-api-key': 'secret' })).status).toBe(200);
    await served.reload([members], { server: { limits: { depth: 3 } } });
    expect((await served.ask(SEARCH, page)).errors).toMatchObject([{ extensions: { code: 'QUERY_TOO_COMPLEX' } }]);
  });

  it('is on record before it takes over, once, however often the same one is read', async () => {
    await using registry = await startFaultyRegistry({ rows: rowsOf('one', 3) });
    const members = membersOf('one', registry);
    // The SHA-256 of "secret".
    const sha256 = '2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b';
    const auth = { apiKeys: [{ id: 'otto', sha256, roles: ['auditor'] }] };
    await using served = await serveChanging([members], { auth });
    await served.reload([members], { auth });
    await served.reload([members], { auth, server: { limits: { depth: 9 } } });
    await served.reload([members], { auth, server: { limits: { depth: 9 } } });
    await served.reload([members], { auth });
    const query = '{ auditEvents { nodes { actor action outcome detail } } }';
    const { data } = await served.ask(query, {}, { 'x-api-key': 'secret' });
    const { nodes } = (data as { auditEvents: { nodes: { detail: string }[] } }).auditEvents;
    const change = { actor: 'gateway', action: 'configuration.change', outcome: 'SUCCEEDED' };
    expect(nodes).toMatchObject([change, change, change]);
    const [last, changed, first] = nodes.map(({ detail }) => detail.split(';')[0]);
    expect(last).toBe(first);
    expect(last).not.toBe(changed);
  });
});
