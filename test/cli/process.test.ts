import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { CLOCK_BOUND } from '../helpers/clock-bound.ts';
import { createSseClient, createWsClient } from '../server/live-clients.ts';

const PROJECT = fileURLToPath(new URL('../../', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'marketplace-test-'));
const running = new Set<ChildProcess>();

afterAll(() => {
  for (const child of running) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

interface Started {
  readonly child: ChildProcess;
  readonly lines: string[];
  /** Standard error so far. */
  readonly errorText: () => string;
  /** The first line of standard output. */
  readonly firstLine: Promise<string>;
  readonly exitCode: Promise<number | null>;
}

/** Starts the program as `npm start` and `npx marketplace` do. */
function start(given: readonly string[], environment: Record<string, string> = {}): Started {
  const child = spawn(process.execPath, [join(PROJECT, 'bin/marketplace.js'), ...given], {
    cwd: folder,
    env: { PATH: process.env.PATH ?? '', PORT: '0', MARKETPLACE_DATA: join(folder, 'data'), ...environment },
  });
  return watch(child);
}

function watch(child: ChildProcessWithoutNullStreams): Started {
  running.add(child);
  const lines: string[] = [];
  let errorText = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errorText += text;
  });
  const reader = createInterface({ input: child.stdout });
  reader.on('line', (line) => lines.push(line));
  const exitCode = once(child, 'close').then(([code]: unknown[]) => {
    running.delete(child);
    return typeof code === 'number' ? code : null;
  });
  const firstLine = Promise.race([
    once(reader, 'line').then(([line]) => String(line)),
    exitCode.then((code) => Promise.reject(new Error(`it ended with ${code}: ${errorText}`))),
  ]);
  firstLine.catch(() => undefined);
  return { child, lines, errorText: () => errorText, firstLine, exitCode };
}

/** By npm itself, whose own process alone is told to stop. */
function startByNpm(command: readonly string[]): Started {
  return watch(
    spawn('npm', command, {
      cwd: PROJECT,
      env: { PATH: process.env.PATH ?? '', HOME: folder, PORT: '0', MARKETPLACE_DATA: join(folder, 'data-of-npm') },
    }),
  );
}

const urlIn = (line: string) => /http:\/\/\S+/.exec(line)?.[0] ?? '';

async function ask(url: string, query: string): Promise<{ data?: Record<string, unknown> }> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', connection: 'close' },
    body: JSON.stringify({ query }),
  });
  return JSON.parse(await response.text());
}

describe('a signal to npm alone', () => {
  it.each([
    // Where there is a POSIX shell nothing is left between npm and the gateway.
    { name: 'npm start', command: ['--silent', 'start'], code: 0 },
    { name: 'npx marketplace serve', command: ['--silent', 'exec', '--', 'marketplace', 'serve'], code: null },
  ])(
    'stops what $name has started',
    async ({ command, code }) => {
      const { child, firstLine, exitCode, errorText } = startByNpm(command);
      const { origin } = new URL(urlIn(await firstLine));
      child.kill('SIGTERM');
      const look = () =>
        fetch(`${origin}/healthz`).then(
          () => 'it answers',
          () => 'gone',
        );
      await expect.poll(look, { timeout: 10_000 }).toBe('gone');
      await expect.poll(errorText).toContain('stopping');
      if (code !== null) expect(await exitCode).toBe(code);
    },
    30_000,
  );
});

describe('npm start', () => {
  it('without a configuration answers a first search over three registries, prints one line, and stops with 0', async () => {
    const { child, lines, firstLine, exitCode, errorText } = start(['serve']);
    const url = urlIn(await firstLine);
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/graphql$/);
    const { data } = await ask(url, '{ search(query: "python") { partial nodes { name } registries { outcome } } }');
    expect(data?.search).toMatchObject({
      partial: false,
      registries: [{ outcome: 'OK' }, { outcome: 'OK' }, { outcome: 'OK' }],
    });
    child.kill('SIGHUP');
    await expect.poll(errorText).toContain('no configuration file');
    child.kill('SIGTERM');
    expect(await exitCode).toBe(0);
    expect(lines).toHaveLength(1);
  });

  it('finishes what is in flight when it is asked to stop, and accepts nothing new', async () => {
    const arrived = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    const slow = createServer((request, response) => {
      const answer = () =>
        response
          .writeHead(200, { 'content-type': 'application/json' })
          .end(JSON.stringify({ templates: [{ name: 'late', version: '1' }], total_count: 1 }));
      if (!request.url?.includes('/search')) return answer();
      arrived.resolve();
      return void release.promise.then(answer);
    });
    await once(slow.listen(0, '127.0.0.1'), 'listening');
    const config = join(folder, 'slow.yaml');
    const { port } = slow.address() as AddressInfo;
    writeFileSync(
      config,
      `server: { search: { timeout: 8s } }\nregistries: [{ name: slow, type: official, url: "http://127.0.0.1:${port}", timeouts: { search: 8s } }]\n`,
    );
    const { child, firstLine, exitCode, errorText } = start(['serve'], { MARKETPLACE_CONFIG: config });
    const url = urlIn(await firstLine);
    const answer = ask(url, '{ search(query: "late") { nodes { name } } }');
    await arrived.promise;
    child.kill('SIGTERM');
    await expect.poll(errorText).toContain('stopping');
    await expect
      .poll(() =>
        fetch(url).then(
          () => 'accepted',
          () => 'refused',
        ),
      )
      .toBe('refused');
    release.resolve();
    expect((await answer).data).toEqual({ search: { nodes: [{ name: 'late' }] } });
    expect(await exitCode).toBe(0);
    slow.close();
  });

  it('says goodbye to subscriptions when it is asked to stop, and ends with 0 at once', CLOCK_BOUND, async () => {
    const { child, firstLine, exitCode } = start(['serve']);
    const origin = urlIn(await firstLine).replace(/\/graphql$/, '');
    using events = createSseClient(origin);
    const closed: unknown[] = [];
    using sockets = createWsClient(origin, {}, { onClosed: (...how) => void closed.push(how) });
    const query = 'subscription { registryHealth(registries: ["official"]) { name } }';
    const streams = [events.iterate(query), sockets.iterate(query)] as const;
    for (const stream of streams) {
      expect((await stream.next()).value).toEqual({ data: { registryHealth: { name: 'official' } } });
    }
    const left = streams[1].next().catch((error: unknown) => error);
    const startedMs = performance.now();
    child.kill('SIGTERM');
    let last = await streams[0].next();
    while (last.value?.errors === undefined) last = await streams[0].next();
    expect(last.value).toMatchObject({ errors: [{ extensions: { code: 'STREAM_ENDED' } }] });
    expect((await streams[0].next()).done).toBe(true);
    await left;
    expect(closed).toEqual([[1001, 'the gateway is stopping']]);
    expect(await exitCode).toBe(0);
    expect(performance.now() - startedMs).toBeLessThan(5000);
  });

  it('names every fault of a wrong configuration and ends with 2', async () => {
    const config = join(folder, 'wrong.yaml');
    writeFileSync(
      config,
      'servr: {}\nregistries:\n  - name: BAD NAME\n    type: official\n    url: http://example.org\n',
    );
    const { exitCode, lines, errorText } = start(['serve'], { MARKETPLACE_CONFIG: config });
    expect(await exitCode).toBe(2);
    expect(lines).toEqual([]);
    expect(errorText()).toContain('wrong.yaml:1:');
    expect(errorText()).toContain('wrong.yaml:3:');
    expect(errorText()).toContain('Did you mean "server"?');
  });

  it('says what to do when its port is taken, and ends with 1', async () => {
    const other = createServer();
    await once(other.listen(0, '127.0.0.1'), 'listening');
    const port = String((other.address() as AddressInfo).port);
    const { exitCode, errorText } = start(['serve'], { PORT: port });
    expect(await exitCode).toBe(1);
    expect(errorText()).toContain(`127.0.0.1:${port}: another program does`);
    expect(errorText()).not.toContain('    at ');
    other.close();
  });
});

describe('marketplace', () => {
  it('serves a folder of templates as a registry', async () => {
    const { child, firstLine, exitCode } = start([
      'registry',
      'serve',
      join(PROJECT, 'registry/demo/official'),
      '--read-only',
    ]);
    const url = urlIn(await firstLine);
    const { templates } = JSON.parse(await (await fetch(`${url}/api/v1/search?limit=1`)).text());
    expect(templates).toHaveLength(1);
    child.kill('SIGINT');
    expect(await exitCode).toBe(0);
  });

  it.each([
    [['nonsense'], "unknown command 'nonsense'"],
    [['registry', 'serve'], "missing required argument 'folder'"],
    [['registry', 'serve', 'there-is-no-such-folder'], '"there-is-no-such-folder" must be a folder'],
    [['serve', '--nonsense'], "unknown option '--nonsense'"],
  ])('%j is a wrong use, and ends with 2', async (given, message) => {
    const { exitCode, errorText } = start(given);
    expect(await exitCode).toBe(2);
    expect(errorText()).toContain(message);
  });

  it('ends without a word when whoever reads what it prints has left', async () => {
    const environment = { MARKETPLACE_DATA: join(folder, 'read-in-part') };
    const gateway = start(['serve'], environment);
    await gateway.firstLine;
    gateway.child.kill('SIGTERM');
    await gateway.exitCode;
    const { child, exitCode, errorText } = start(['audit', 'export'], environment);
    child.stdout?.destroy();
    expect([await exitCode, errorText()]).toEqual([0, '']);
  });

  it('tells its version and its commands', async () => {
    const version = start(['--version']);
    expect(await version.firstLine).toMatch(/^\d+\.\d+\.\d+$/);
    expect(await version.exitCode).toBe(0);
    const help = start(['--help']);
    expect(await help.exitCode).toBe(0);
    expect(help.lines.join('\n')).toContain('serve');
  });
});
