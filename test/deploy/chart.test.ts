import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Ajv } from 'ajv';
import { afterAll, describe, expect, it } from 'vitest';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { z } from 'zod';
import { parseConfigObject } from '../../src/config/load.ts';

const CHART = fileURLToPath(new URL('../../deploy/helm/marketplace-gateway', import.meta.url));
const RENDERER = fileURLToPath(new URL('./render-chart', import.meta.url));
/** Where Debian puts the sources of Go packages. */
const GO_PATH = '/usr/share/gocode';

const folder = mkdtempSync(join(tmpdir(), 'marketplace-chart-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const manifest = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string().max(63), labels: z.record(z.string(), z.string()) }),
  spec: z.record(z.string(), z.unknown()).optional(),
  data: z.record(z.string(), z.string()).optional(),
});
type Manifest = z.output<typeof manifest>;

const selector = z.object({ matchLabels: z.record(z.string(), z.string()) });
const port = z.looseObject({ name: z.string(), containerPort: z.number() });
const probe = z.object({ httpGet: z.object({ path: z.string(), port: z.string() }) });
const workload = z.object({
  replicas: z.number().optional(),
  selector,
  template: z.object({
    metadata: z.object({ labels: z.record(z.string(), z.string()) }),
    spec: z.looseObject({
      securityContext: z.looseObject({ runAsNonRoot: z.literal(true) }),
      terminationGracePeriodSeconds: z.number(),
      containers: z.tuple([
        z.looseObject({
          image: z.string(),
          securityContext: z.looseObject({ readOnlyRootFilesystem: z.literal(true) }),
          env: z.array(z.looseObject({ name: z.string() })),
          ports: z.array(port),
          livenessProbe: probe,
          readinessProbe: probe,
          volumeMounts: z.array(z.looseObject({ name: z.string(), mountPath: z.string() })),
          resources: z.object({ requests: z.looseObject({}), limits: z.looseObject({}) }),
        }),
      ]),
      volumes: z.array(z.looseObject({ name: z.string() })),
    }),
  }),
});

function run(values: object): { readonly status: number | null; readonly out: string; readonly error: string } {
  const path = join(folder, 'values.yaml');
  writeFileSync(path, stringify(values));
  const { status, stdout, stderr } = spawnSync('go', ['run', '.', CHART, path, 'demo'], {
    cwd: RENDERER,
    encoding: 'utf8',
    env: { ...process.env, GO111MODULE: 'off', GOPATH: GO_PATH, GOCACHE: join(folder, 'go-cache') },
  });
  return { status, out: stdout, error: stderr };
}

function render(values: object): Manifest[] {
  const { status, out, error } = run(values);
  expect({ status, error }).toEqual({ status: 0, error: '' });
  return parseAllDocuments(out).flatMap((document) => {
    expect(document.errors).toEqual([]);
    const value: unknown = document.toJS();
    return value === null ? [] : [manifest.parse(value)];
  });
}

function find(manifests: readonly Manifest[], kind: string): Manifest {
  const found = manifests.find((one) => one.kind === kind);
  if (found === undefined) throw new Error(`there is no ${kind} among ${manifests.map((one) => one.kind).join(', ')}`);
  return found;
}

describe('the values of the chart', () => {
  it('are those that its schema knows', () => {
    const read = (name: string) => readFileSync(join(CHART, name), 'utf8');
    const validate = new Ajv({ allErrors: true }).compile(JSON.parse(read('values.schema.json')));
    const values = z.record(z.string(), z.unknown()).parse(parse(read('values.yaml')));
    expect(validate(values) ? [] : validate.errors).toEqual([]);
    expect(validate({ ...values, replica: 2 })).toBe(false);
  });
});

const hasGo =
  spawnSync('go', ['version']).status === 0 && existsSync(join(GO_PATH, 'src/github.com/Masterminds/sprig'));
const why = hasGo ? '' : ' [skipped: the packages golang-go and golang-github-masterminds-sprig-dev are not installed]';

describe.skipIf(!hasGo)(`the chart${why}`, { timeout: 120_000 }, () => {
  it('makes one workload that no other user runs, that drains, and whose configuration the gateway takes', () => {
    const manifests = render({});
    expect(manifests.map(({ kind }) => kind).sort()).toEqual([
      ...['ConfigMap', 'Deployment', 'PodDisruptionBudget', 'Service', 'Service', 'ServiceAccount'],
    ]);
    const { replicas, template, selector: chosen } = workload.parse(find(manifests, 'Deployment').spec);
    expect(replicas).toBe(2);
    expect(template.metadata.labels).toMatchObject(chosen.matchLabels);
    const [container] = template.spec.containers;
    const names = container.ports.map(({ name }) => name);
    expect(names).toEqual(['http', 'admin']);
    expect(names).toContain(container.livenessProbe.httpGet.port);
    expect(names).toContain(container.readinessProbe.httpGet.port);
    expect(template.spec.volumes.map(({ name }) => name)).toEqual(container.volumeMounts.map(({ name }) => name));
    // The wait before the stop, and the ten seconds that the gateway then has.
    expect(template.spec.terminationGracePeriodSeconds).toBeGreaterThan(5 + 10);

    const text = find(manifests, 'ConfigMap').data?.['marketplace.yaml'] ?? '';
    const config = z.looseObject({ server: z.looseObject({ secret: z.string() }) }).parse(parse(text));
    expect(config.server.secret).toBe('${' + 'MARKETPLACE_SECRET}');
    expect(() =>
      parseConfigObject({ ...config, server: { ...config.server, secret: 'a secret for this test' } }),
    ).not.toThrow();
  });

  it('selects the same pods in each service, budget, policy and monitor', () => {
    const manifests = render({
      networkPolicy: { enabled: true },
      ...{ autoscaling: { enabled: true }, ingress: { enabled: true, tlsSecret: 'tls' } },
      ...{ serviceMonitor: { enabled: true }, prometheusRule: { enabled: true } },
    });
    const chosen = workload.parse(find(manifests, 'Deployment').spec).selector.matchLabels;
    for (const { spec } of manifests.filter(({ kind }) => kind === 'Service')) expect(spec?.selector).toEqual(chosen);
    expect(find(manifests, 'PodDisruptionBudget').spec?.selector).toEqual({ matchLabels: chosen });
    expect(find(manifests, 'NetworkPolicy').spec?.podSelector).toEqual({ matchLabels: chosen });
    const metrics = manifests.find(({ metadata }) => metadata.labels['app.kubernetes.io/component'] === 'metrics');
    const monitored = selector.parse(find(manifests, 'ServiceMonitor').spec?.selector);
    expect(metrics?.metadata.labels).toMatchObject(monitored.matchLabels);
    expect(find(manifests, 'PrometheusRule').spec).toHaveProperty('groups');
    expect(find(manifests, 'HorizontalPodAutoscaler').spec?.scaleTargetRef).toMatchObject({ kind: 'Deployment' });
  });

  it('leaves the number of replicas to the autoscaler where there is one', () => {
    const { spec } = find(render({ autoscaling: { enabled: true } }), 'Deployment');
    expect(workload.parse(spec).replicas).toBeUndefined();
  });

  it('without an admin address asks the public port, and has no service for metrics', () => {
    const manifests = render({ config: { server: { admin: null } } });
    const [container] = workload.parse(find(manifests, 'Deployment').spec).template.spec.containers;
    expect(container.readinessProbe.httpGet.port).toBe('http');
    expect(manifests.filter(({ kind }) => kind === 'Service')).toHaveLength(1);
  });

  it('refuses one disk for several replicas, and says what to do', () => {
    const { status, error } = run({ persistence: { enabled: true } });
    expect(status).toBe(1);
    expect(error).toContain('set DATABASE_URL');
    const { spec } = find(render({ persistence: { enabled: true }, replicas: 1 }), 'Deployment');
    expect(spec?.strategy).toEqual({ type: 'Recreate' });
  });
});
