import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { z } from 'zod';
import { startFaultyRegistry } from '../helpers/faulty-registry.ts';
import { findFreePort } from '../helpers/free-port.ts';
import { runGateway } from '../helpers/run-gateway.ts';

const DEPLOY = fileURLToPath(new URL('../../deploy/', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'marketplace-prometheus-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const has = (program: string) => spawnSync(program, ['--version']).status === 0;
const hasPromtool = has('promtool');
const hasPrometheus = has('prometheus');
const skipped = (isThere: boolean, program: string) => (isThere ? '' : ` [skipped: ${program} is not installed]`);

describe.skipIf(!hasPromtool)(`the alert rules${skipped(hasPromtool, 'promtool')}`, () => {
  it.each([
    ['are valid', ['check', 'rules', 'alerts.yml']],
    ['tell what they should and nothing else', ['test', 'rules', 'alerts.test.yml']],
    ['are read by a valid configuration', ['check', 'config', 'prometheus.yml']],
  ])('%s', (_, given) => {
    const { status, stdout, stderr } = spawnSync('promtool', given, {
      cwd: join(DEPLOY, 'prometheus'),
      encoding: 'utf8',
    });
    expect({ status, said: status === 0 ? '' : stdout + stderr }).toEqual({ status: 0, said: '' });
  });
});

const dashboard = z.looseObject({
  panels: z.array(
    z.looseObject({
      id: z.number(),
      title: z.string(),
      type: z.string(),
      gridPos: z.object({ x: z.number(), y: z.number(), w: z.number(), h: z.number() }),
      targets: z.array(z.looseObject({ expr: z.string() })).default([]),
    }),
  ),
  templating: z.object({ list: z.array(z.looseObject({ name: z.string() })) }),
});
const { panels, templating } = dashboard.parse(
  JSON.parse(readFileSync(join(DEPLOY, 'grafana/marketplace-gateway.json'), 'utf8')),
);

describe('the dashboard', () => {
  it('has panels of their own places, that use no variable it does not have', () => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, cell) => `${x + (cell % w)},${y + Math.floor(cell / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    const known = [...templating.list.map(({ name }) => name), '__rate_interval'];
    const used = panels.flatMap(({ targets }) => targets.flatMap(({ expr }) => [...expr.matchAll(/\$(\w+)/g)]));
    for (const [, name = ''] of used) expect(known).toContain(name);
  });
});

const found = z.object({ status: z.literal('success'), data: z.object({ result: z.array(z.unknown()) }) });

/** Nothing of these is there while all goes well, or without TLS. */
const MAY_BE_EMPTY = /outcome!="ok"|certificate_expiry/;

describe.skipIf(!hasPrometheus)(`with a Prometheus that scrapes${skipped(hasPrometheus, 'prometheus')}`, () => {
  it('each query of the dashboard finds something', { timeout: 60_000 }, async () => {
    await using one = await startFaultyRegistry({ rows: [{ name: 'a', version: '1.0.0' }] });
    const [adminPort, port] = [await findFreePort(), await findFreePort()];
    await using gateway = await runGateway({
      server: { admin: `127.0.0.1:${adminPort}` },
      registries: [{ name: 'one', type: 'official', url: one.url }],
    });
    writeFileSync(
      join(folder, 'prometheus.yml'),
      stringify({
        global: { scrape_interval: '200ms', evaluation_interval: '200ms' },
        rule_files: [join(DEPLOY, 'prometheus/alerts.yml')],
        scrape_configs: [
          { job_name: 'marketplace-gateway', static_configs: [{ targets: [`127.0.0.1:${adminPort}`] }] },
        ],
      }),
    );
    const prometheus = spawn(
      'prometheus',
      [
        ...[`--config.file=${join(folder, 'prometheus.yml')}`, `--storage.tsdb.path=${join(folder, 'data')}`],
        ...[`--web.listen-address=127.0.0.1:${port}`, '--log.level=error'],
      ],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
    const ended = once(prometheus, 'close');
    try {
      const query = async (expr: string): Promise<number> => {
        const filled = expr.replaceAll('$__rate_interval', '1m').replaceAll('$job', '.*').replaceAll('$registry', '.*');
        const response = await fetch(`http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(filled)}`);
        const body = await response.text();
        expect({ expr, status: response.status, body: response.ok ? '' : body }).toEqual({
          expr,
          status: 200,
          body: '',
        });
        return found.parse(JSON.parse(body)).data.result.length;
      };
      const search = async () => {
        for (const text of [
          '{ search { nodes { name } } }',
          '{ search(query: "a") { nodes { name } } }',
          '{ nothing }',
        ]) {
          const body = JSON.stringify({ query: text });
          const headers = { 'content-type': 'application/json' };
          await fetch(`${gateway.origin}/graphql`, { method: 'POST', headers, body });
        }
      };
      await expect
        .poll(
          () =>
            fetch(`http://127.0.0.1:${port}/-/ready`).then(
              ({ status }) => status,
              () => 0,
            ),
          { timeout: 20_000 },
        )
        .toBe(200);
      for (const { title, targets } of panels) {
        for (const { expr } of targets) {
          if (MAY_BE_EMPTY.test(expr)) await query(expr);
          else {
            const look = async () => {
              await search();
              return query(expr);
            };
            await expect.poll(look, { timeout: 20_000, message: `${title}: ${expr}` }).toBeGreaterThan(0);
          }
        }
      }
    } finally {
      prometheus.kill('SIGTERM');
      await ended;
    }
  });
});
