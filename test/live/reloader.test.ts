import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import type { ConfigState } from '../../resolvers/context.ts';
import type { Config } from '../../src/config/config.ts';
import { ConfigSource } from '../../src/live/config-source.ts';
import { Reloader } from '../../src/live/reloader.ts';
import { PATIENT } from '../helpers/clock-bound.ts';

const folder = mkdtempSync(join(tmpdir(), 'marketplace-reloader-'));
const path = join(folder, 'marketplace.yaml');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const write = (names: readonly string[], server: object = {}) =>
  writeFileSync(
    path,
    stringify({
      server: { secret: 'for tests alone: 0123456789abcdef0123456789abcdef', ...server },
      registries: names.map((name) => ({ name, type: 'official', url: 'http://127.0.0.1:1' })),
    }),
  );

beforeEach(() => write(['one']));

/** A reloader of the file, with all that it did; `apply` may be held up. */
function open(apply: (config: Config) => Promise<void> = async () => undefined) {
  const source = new ConfigSource(path, {});
  const applied: string[] = [];
  const states: ConfigState[] = [];
  const logged: [string, unknown, unknown][] = [];
  const logAs = (level: string) => (detail: unknown, message?: unknown) => void logged.push([level, message, detail]);
  const reloader = new Reloader({
    started: source.read(),
    read: () => source.read(),
    apply: async (config) => {
      await apply(config);
      applied.push(config.registries.map(({ name }) => name).join());
    },
    onState: (state) => void states.push(state),
    log: { info: logAs('info'), warn: logAs('warn'), error: logAs('error') },
  });
  return { source, reloader, applied, states, logged, [Symbol.dispose]: () => source.close() };
}

describe('a configuration that is read again', () => {
  it('is used when it is another, and nothing is done when it is the same', async () => {
    using opened = open();
    await opened.reloader.request();
    expect(opened.applied).toEqual([]);
    expect(opened.states).toEqual([]);
    write(['one', 'two']);
    await opened.reloader.request();
    await opened.reloader.request();
    expect(opened.applied).toEqual(['one,two']);
    expect(opened.states).toEqual([{ refusal: null, needsRestart: [] }]);
    expect(opened.logged).toContainEqual([
      'info',
      'another configuration is in use',
      { added: ['two'], removed: [], changed: [], parts: [] },
    ]);
  });

  it('is refused whole when it has faults, each of which is logged with its place; a good one ends that', async () => {
    using opened = open();
    writeFileSync(path, 'registries:\n  - { name: one, type: official, url: "http://127.0.0.1:1", prioritty: 1 }\n');
    await opened.reloader.request();
    expect(opened.applied).toEqual([]);
    const fault = `${path}:2:61 registries[0].prioritty must be a known key`;
    expect(opened.states).toMatchObject([{ refusal: { faults: [expect.stringContaining(fault)] } }]);
    expect(opened.logged).toEqual([
      [
        'error',
        'the changed configuration was refused; the one in use stays',
        { faults: [expect.stringContaining(fault)] },
      ],
    ]);
    write(['one']);
    await opened.reloader.request();
    expect(opened.applied).toEqual([]);
    expect(opened.states.at(-1)).toEqual({ refusal: null, needsRestart: [] });
  });

  it('tells what was given in the file only apart from its faults', async () => {
    using opened = open();
    writeFileSync(path, 'registries:\n  - { name: one, type: official, url: "http://internal.example" }\n');
    await opened.reloader.request();
    const [state] = opened.states;
    expect(state?.refusal?.faults.join()).toContain('internal.example');
    expect(state?.refusal?.withoutValues.join()).not.toContain('internal.example');
    expect(state?.refusal?.withoutValues).toHaveLength(1);
  });

  it('is refused when it cannot be used, and the next one is tried all the same', async () => {
    let canBe = false;
    using opened = open(async () => {
      if (!canBe) throw new Error('the key of the registry "two" cannot be read');
    });
    write(['one', 'two']);
    await opened.reloader.request();
    expect(opened.states).toMatchObject([
      { refusal: { faults: ['the key of the registry "two" cannot be read'], withoutValues: [] } },
    ]);
    canBe = true;
    await opened.reloader.request();
    expect(opened.applied).toEqual(['one,two']);
    expect(opened.states.at(-1)?.refusal).toBeNull();
  });

  it('is read once more, as it is then, however often it was wanted while another was being taken over', async () => {
    const gate = Promise.withResolvers<void>();
    using opened = open(() => gate.promise);
    write(['one', 'two']);
    const first = opened.reloader.request();
    write(['three']);
    void opened.reloader.request();
    write(['four']);
    void opened.reloader.request();
    expect(opened.applied).toEqual([]);
    gate.resolve();
    await first;
    expect(opened.applied).toEqual(['one,two', 'four']);
  });

  it('is used as far as that goes, and says what takes a restart, until there is nothing such', async () => {
    using opened = open();
    write(['one', 'two'], { cache: { memory: '32mb' } });
    await opened.reloader.request();
    expect(opened.applied).toEqual(['one,two']);
    expect(opened.states).toEqual([{ refusal: null, needsRestart: ['server.cache.memory'] }]);
    expect(opened.logged.at(-1)).toEqual([
      'warn',
      'changes of these keys take a restart to be in use',
      { keys: ['server.cache.memory'] },
    ]);
    write(['one', 'two']);
    await opened.reloader.request();
    expect(opened.states.at(-1)).toEqual({ refusal: null, needsRestart: [] });
  });

  it('is watched together with the files that it names: secrets in files of their own are changed so', async () => {
    const secret = join(folder, 'token');
    writeFileSync(secret, 'first-token\n');
    const credentials = `{ type: token, token: "\${file:token}" }`;
    writeFileSync(
      path,
      `server: { secret: "0123456789abcdef" }\nregistries: [{ name: one, type: official, url: "http://127.0.0.1:1", credentials: ${credentials} }]\n`,
    );
    const tokens: unknown[] = [];
    using opened = open(async ({ registries }) => void tokens.push(registries[0]?.credentials));
    opened.source.onChange(() => void opened.reloader.request());
    writeFileSync(secret, 'second-token\n');
    await expect.poll(() => tokens, PATIENT).toEqual([{ type: 'token', token: 'second-token' }]);
    rmSync(secret);
    await expect.poll(() => opened.states.at(-1)?.refusal?.faults.join(), PATIENT).toContain('no such file');
    writeFileSync(secret, 'third-token\n');
    await expect.poll(() => tokens.at(-1), PATIENT).toEqual({ type: 'token', token: 'third-token' });
  });
});
