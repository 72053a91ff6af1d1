/** The gateway as a process of its own, whose file changes, and which is stopped, while clients ask. */
import { utimesSync, writeFileSync } from 'node:fs';
import { Agent, errors, request } from 'undici';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { CLOCK_BOUND } from '../helpers/clock-bound.ts';
import { type FaultyRegistry, startFaultyRegistry } from '../helpers/faulty-registry.ts';
import { type RunningGateway, runGateway } from '../helpers/run-gateway.ts';
import { createAsk } from '../server/ask.ts';

/** On a machine that is busy with other things too, a registry is no slower than its limits. */
const PATIENT = { timeouts: { search: '20s' }, circuit: { volumeThreshold: 1000 } };

/** Clients of one address ask as often as they can. */
const UNLIMITED = { requestsPerMinute: 'off', costPerMinute: 'off' };

const configOf = (registries: Readonly<Record<string, FaultyRegistry>>, server: object = {}) => ({
  server: { cache: { disk: 'off', warm: 'off' }, search: { timeout: '20s' }, limits: UNLIMITED, ...server },
  registries: Object.entries(registries).map(([name, { url }]) => ({ name, type: 'official', url, ...PATIENT })),
});

const rowsOf = (prefix: string) =>
  Array.from({ length: 10 }, (_, index) => ({ name: `${prefix}-${index}`, version: '1.0.0', downloads: 100 - index }));

const rewrite = ({ configPath }: RunningGateway, config: object) => writeFileSync(configPath, stringify(config));

const messages = (gateway: RunningGateway): string[] => gateway.logLines().map((line) => String(JSON.parse(line).msg));

/** What clients got while something else happened. */
class Load {
  /** By the registries that an answer was made of. */
  readonly answers = new Map<string, number>();
  readonly failures: unknown[] = [];
  refusedConnections = 0;
  closedConnections = 0;
  #isOver = false;
  readonly #agent = new Agent({ connections: 8, pipelining: 1 });
  readonly #clients: Promise<void>[];

  /** Each client sends one request after another over kept connections, until no connection is to be had any more. */
  constructor(origin: string, clients: number) {
    this.#clients = Array.from({ length: clients }, (_, index) => this.#ask(origin, index));
  }

  get count(): number {
    return [...this.answers.values()].reduce((sum, count) => sum + count, 0);
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.whenOver();
  }

  async whenOver(): Promise<void> {
    await Promise.all(this.#clients);
    await this.#agent.close();
  }

  async #ask(origin: string, client: number): Promise<void> {
    for (let round = 0; !this.#isOver; round += 1) {
      const variables = { query: client % 2 === 0 ? null : ' '.repeat(round % 50) };
      const query = `query ($query: String) {
        registries { name } search(query: $query, first: 50, collapse: false) { partial registries { registry { name } } }
      }`;
      try {
        const response = await request(`${origin}/graphql`, {
          method: 'POST',
          dispatcher: this.#agent,
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ query, variables }),
        });
        if (response.headers.connection === 'close') this.closedConnections += 1;
        this.#note(response.statusCode, JSON.parse(await response.body.text()));
      } catch (error) {
        // Whoever comes anew is for another replica.
        if (error instanceof Error && 'code' in error && error.code === 'ECONNREFUSED') this.refusedConnections += 1;
        else this.failures.push(error instanceof errors.UndiciError ? error.code : error);
        return;
      }
    }
  }

  #note(status: number, { data, errors: faults }: Record<string, never> & { data?: Record<string, never> }): void {
    const { registries = [], search } = (data ?? {}) as unknown as {
      registries?: { name: string }[];
      search?: { partial: boolean; registries: { registry: { name: string } }[] };
    };
    const listed = registries.map(({ name }) => name).join();
    const reported = search?.registries.map(({ registry }) => registry.name).join();
    if (status !== 200 || faults !== undefined || search?.partial !== false || listed !== reported) {
      this.failures.push({ status, faults, listed, reported });
    } else this.answers.set(listed, (this.answers.get(listed) ?? 0) + 1);
  }
}

describe('a gateway whose file changes', () => {
  it('goes over to it by itself or by a signal, under load without a request that fails or sees two of them', async () => {
    await using one = await startFaultyRegistry({ rows: rowsOf('one') });
    await using two = await startFaultyRegistry({ rows: rowsOf('two') });
    await using three = await startFaultyRegistry({ rows: rowsOf('three') });
    const versions = [
      configOf({ one, two }),
      configOf({ three, one }),
      configOf({ two }),
      configOf({ one, two, three }),
    ];
    await using gateway = await runGateway(versions[0] ?? {});
    const load = new Load(gateway.origin, 6);
    for (const [index, version] of [...versions.slice(1), ...versions, ...versions.slice(1)].entries()) {
      const before = messages(gateway).filter((message) => message.startsWith('another')).length;
      rewrite(gateway, version);
      // Whoever does not send the signal waits for the file to be looked at.
      if (index % 3 !== 0) gateway.signal('SIGHUP');
      await expect
        .poll(() => messages(gateway).filter((message) => message.startsWith('another')).length, { timeout: 15_000 })
        .toBeGreaterThan(before);
      const { count } = load;
      await expect.poll(() => load.count, { timeout: 15_000 }).toBeGreaterThan(count + 10);
    }
    await load.stop();
    expect(load.failures).toEqual([]);
    expect(load.refusedConnections).toBe(0);
    expect([...load.answers.keys()].toSorted()).toEqual(['one,two', 'one,two,three', 'three,one', 'two']);
  });

  it('stays with the last good one while the file is bad, and says so in its log and in its health', async () => {
    await using one = await startFaultyRegistry({ rows: rowsOf('one') });
    await using two = await startFaultyRegistry({ rows: rowsOf('two') });
    await using gateway = await runGateway(configOf({ one }));
    const ask = createAsk(gateway.origin);
    const health = async () => {
      const { data } = await ask('{ registries { name } gateway { health { status message } } }');
      return data;
    };
    await expect.poll(health).toMatchObject({ gateway: { health: { status: 'UP', message: null } } });
    writeFileSync(gateway.configPath, 'registries:\n  - { name: one, type: official, url: "ftp://secret.example" }\n');
    await expect.poll(health, { timeout: 15_000 }).toMatchObject({
      registries: [{ name: 'one' }],
      gateway: {
        health: { status: 'DEGRADED', message: expect.stringContaining('marketplace.yaml:2:39 registries[0].url') },
      },
    });
    expect(JSON.stringify(await health())).not.toContain('secret.example');
    expect(gateway.logLines().join('\n')).toContain('marketplace.yaml:2:39 registries[0].url must be');
    rewrite(gateway, configOf({ one, two }));
    await expect.poll(health, { timeout: 15_000 }).toMatchObject({
      registries: [{ name: 'one' }, { name: 'two' }],
      gateway: { health: { status: 'UP', message: null } },
    });
  });

  it('does nothing when the file is only touched', async () => {
    await using one = await startFaultyRegistry({ rows: rowsOf('one') });
    await using gateway = await runGateway(configOf({ one }));
    await one.whenArrived(1, '/health');
    utimesSync(gateway.configPath, new Date(), new Date());
    await expect
      .poll(() => messages(gateway), { timeout: 15_000 })
      .toContain('the configuration was read again, and is what it was');
    expect(one.arrivalsAt('/health')).toHaveLength(1);
  });
});

describe('a gateway that is asked to stop under load', () => {
  it('answers every request that has reached it, closes each connection behind its answer, and ends with 0', async () => {
    await using one = await startFaultyRegistry({ rows: rowsOf('one'), mode: { slowMs: 20 } });
    await using gateway = await runGateway(
      configOf({ one }, { cache: { disk: 'off', warm: 'off', responses: 'off' } }),
    );
    const load = new Load(gateway.origin, 8);
    await expect.poll(() => load.count, { timeout: 15_000 }).toBeGreaterThan(50);
    gateway.signal('SIGTERM');
    await load.whenOver();
    expect(load.failures).toEqual([]);
    expect(load.refusedConnections).toBe(8);
    expect(load.closedConnections).toBeGreaterThan(0);
    expect(await gateway.exitCode).toBe(0);
  });

  it('says over a connection that is open still that it is not ready any more', async () => {
    await using one = await startFaultyRegistry({ rows: rowsOf('one') });
    await using gateway = await runGateway(configOf({ one }));
    const agent = new Agent({ connections: 1 });
    const ready = () => request(`${gateway.origin}/readyz`, { dispatcher: agent });
    await expect
      .poll(async () => {
        const { statusCode, body } = await ready();
        await body.dump();
        return statusCode;
      })
      .toBe(200);
    gateway.signal('SIGTERM');
    await expect.poll(() => messages(gateway), { interval: 5 }).toContain('stopping');
    const { statusCode, headers, body } = await ready();
    expect([statusCode, headers.connection, await body.json()]).toEqual([503, 'close', { status: 'draining' }]);
    expect(await gateway.exitCode).toBe(0);
    await agent.close();
  });

  it('ends at once when it is asked again', CLOCK_BOUND, async () => {
    await using one = await startFaultyRegistry({ rows: rowsOf('one') });
    await using gateway = await runGateway(configOf({ one }));
    await one.setMode('hang');
    const answer = createAsk(gateway.origin)('{ search(query: "one") { partial } }').catch(() => 'cut off');
    await one.whenArrived(1);
    gateway.signal('SIGTERM');
    await expect.poll(() => messages(gateway)).toContain('stopping');
    const again = setInterval(() => gateway.signal('SIGTERM'), 50);
    const startedMs = performance.now();
    expect(await gateway.exitCode).toBe(1);
    clearInterval(again);
    expect(performance.now() - startedMs).toBeLessThan(5000);
    expect(await answer).toBe('cut off');
  });
});
