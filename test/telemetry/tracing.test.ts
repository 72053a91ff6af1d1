import { describe, expect, it } from 'vitest';
import { openTracing } from '../../src/telemetry/tracing.ts';
import { startFaultyRegistry } from '../helpers/faulty-registry.ts';
import { runGateway } from '../helpers/run-gateway.ts';
import { collect, createSseClient, createWsClient } from '../server/live-clients.ts';
import { startCollector } from './collector.ts';

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';
const PARENT_ID = 'b7ad6b7169203331';
const DOCUMENT = 'query Find($text: String) { search(query: $text) { nodes { name } registries { outcome } } }';

const row = (name: string) => ({ name, version: '1.0.0', title: name });

async function post(origin: string, body: object, headers: Record<string, string> = {}): Promise<unknown> {
  const response = await fetch(`${origin}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  return response.json();
}

describe('with a collector in the environment', () => {
  it('one trace goes from the client through request and operation to each registry, which is told of it', async () => {
    await using collector = await startCollector();
    await using one = await startFaultyRegistry({ rows: [row('a')] });
    await using other = await startFaultyRegistry({ rows: [row('b')] });
    await using gateway = await runGateway(
      {
        registries: [
          { name: 'one', type: 'official', url: one.url },
          { name: 'other', type: 'community', url: other.url },
        ],
      },
      {
        OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
        OTEL_BSP_SCHEDULE_DELAY: '50',
        OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
      },
    );
    const traceparent = `00-${TRACE_ID}-${PARENT_ID}-01`;
    await post(gateway.origin, { query: DOCUMENT, variables: { text: 'canary-query' } }, { traceparent });

    await expect.poll(() => collector.spans.filter(({ traceId }) => traceId === TRACE_ID).length).toBe(4);
    const spans = collector.spans.filter(({ traceId }) => traceId === TRACE_ID);
    const request = spans.find(({ parentSpanId }) => parentSpanId === PARENT_ID);
    expect(request).toMatchObject({
      name: 'POST /graphql',
      attributes: { 'http.response.status_code': 200 },
      resource: { 'service.name': 'marketplace-gateway', 'deployment.environment.name': 'test' },
    });
    const operation = spans.find(({ parentSpanId }) => parentSpanId === request?.spanId);
    expect(operation).toMatchObject({ name: 'query', attributes: { 'graphql.operation.name': 'Find' } });
    const calls = spans.filter(({ parentSpanId }) => parentSpanId === operation?.spanId);
    expect(calls.map(({ attributes }) => attributes['marketplace.registry']).sort()).toEqual(['one', 'other']);

    for (const registry of [one, other]) {
      // What the gateway asks for by itself, health and lists of names, belongs to no trace.
      const told = registry.arrivals.map(({ headers }) => headers.traceparent).filter((header) => header !== undefined);
      expect(told).toHaveLength(1);
      expect(calls.map(({ spanId }) => `00-${TRACE_ID}-${spanId}-01`)).toContain(told[0]);
    }
    expect(collector.text()).not.toContain('canary-query');
  });

  it('a trace that the client does not sample is not exported, and its registries are told so', async () => {
    await using collector = await startCollector();
    await using registry = await startFaultyRegistry({ rows: [row('a')] });
    await using gateway = await runGateway(
      { registries: [{ name: 'one', type: 'official', url: registry.url }] },
      { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url },
    );
    await post(gateway.origin, { query: DOCUMENT }, { traceparent: `00-${TRACE_ID}-${PARENT_ID}-00` });
    gateway.signal('SIGTERM');
    expect(await gateway.exitCode).toBe(0);
    expect(collector.spans).toEqual([]);
    const search = registry.arrivals.find(({ path }) => path.endsWith('/search'));
    expect(search?.headers.traceparent).toMatch(new RegExp(`^00-${TRACE_ID}-[0-9a-f]{16}-00$`));
  });

  it('operations over events and sockets are spans too, with their calls below them and their name in the log', async () => {
    await using collector = await startCollector();
    await using registry = await startFaultyRegistry({ rows: [row('a')], mode: { status: 500 } });
    await using gateway = await runGateway(
      { registries: [{ name: 'one', type: 'official', url: registry.url }] },
      { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_BSP_SCHEDULE_DELAY: '50', LOG_LEVEL: 'debug' },
    );
    const progress = 'subscription Follow($text: String) { searchProgress(query: $text) { answered } }';
    const failing = 'query Fail($text: String) { search(query: $text, require: ["one"]) { partial } }';
    for (const [createClient, traceId, isWithin] of [
      [createSseClient, TRACE_ID.replace('0af', '0aa'), true],
      [createWsClient, TRACE_ID.replace('0af', '0ab'), false],
    ] as const) {
      using client = createClient(gateway.origin, { traceparent: `00-${traceId}-${PARENT_ID}-01` });
      await collect(client.iterate(progress, { text: `canary-query ${traceId}` }));
      await collect(client.iterate(failing, { text: `canary-query again ${traceId}` }));
      const find = (name: string) =>
        collector.spans.find((span) => span.traceId === traceId && span.attributes['graphql.operation.name'] === name);
      await expect.poll(() => [find('Follow'), find('Fail')].filter((span) => span !== undefined).length).toBe(2);
      expect([find('Follow')?.name, find('Fail')?.name]).toEqual(['subscription', 'query']);
      const parent = collector.spans.find(({ spanId }) => spanId === find('Follow')?.parentSpanId);
      if (isWithin) expect(parent?.name).toBe('POST /graphql/stream');
      else expect(find('Follow')?.parentSpanId).toBe(PARENT_ID);
      for (const name of ['Follow', 'Fail']) {
        const calls = collector.spans.filter(({ parentSpanId }) => parentSpanId === find(name)?.spanId);
        expect(calls.map((span) => span.attributes['marketplace.registry'])).toContain('one');
        const lines: unknown[] = gateway.logLines().map((line) => JSON.parse(line));
        const requestId = find(name)?.attributes['marketplace.request_id'];
        expect(lines).toContainEqual(
          expect.objectContaining({ msg: 'a call to a registry failed', registry: 'one', operation: name, requestId }),
        );
        expect(lines).toContainEqual(
          expect.objectContaining({ msg: 'a streamed operation has ended', operation: name, requestId }),
        );
        if (name === 'Follow') continue;
        expect(lines).toContainEqual(
          expect.objectContaining({ msg: 'a field failed with its registry', operation: name, requestId }),
        );
      }
    }
    expect(collector.text()).not.toContain('canary-query');
  });

  it('what is there is sent before the process ends, and what cannot be sent holds up nothing', async () => {
    await using collector = await startCollector();
    await using registry = await startFaultyRegistry({ rows: [row('a')] });
    const config = { registries: [{ name: 'one', type: 'official', url: registry.url }] };
    await using gateway = await runGateway(config, { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url });
    await post(gateway.origin, { query: DOCUMENT });
    gateway.signal('SIGTERM');
    expect(await gateway.exitCode).toBe(0);
    expect(collector.spans.map(({ name }) => name)).toEqual(expect.arrayContaining(['POST /graphql', 'query']));

    // Nobody listens at the discard port.
    await using deaf = await runGateway(config, { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://user:canary@127.0.0.1:9' });
    await post(deaf.origin, { query: DOCUMENT });
    deaf.signal('SIGTERM');
    expect(await deaf.exitCode).toBe(0);
    expect(deaf.logLines().join()).not.toContain('canary');
  });
});

describe('the environment', () => {
  const open = (environment: Record<string, string>) =>
    openTracing({ environment, version: '0.0.0', warn: () => undefined });

  it.each([
    {},
    { OTEL_SDK_DISABLED: 'true', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' },
    { OTEL_TRACES_EXPORTER: 'none', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' },
  ])('%o traces nothing', async (environment) => {
    expect(await open(environment)).toBeNull();
  });

  it.each([
    ['OTEL_TRACES_EXPORTER', 'zipkin'],
    ['OTEL_EXPORTER_OTLP_PROTOCOL', 'grpc'],
    ['OTEL_TRACES_SAMPLER', 'sometimes'],
    ['OTEL_TRACES_SAMPLER_ARG', 'half'],
    ['OTEL_BSP_SCHEDULE_DELAY', 'soon'],
  ])('is refused where %s is %s, with what it must be', async (name, value) => {
    const environment = {
      ...{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9', OTEL_TRACES_SAMPLER: 'traceidratio' },
      [name]: value,
    };
    await expect(open(environment)).rejects.toThrow(new RegExp(`^${name} must be .*; it is "${value}"`));
  });
});
