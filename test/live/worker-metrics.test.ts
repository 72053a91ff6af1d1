import { describe, expect, it } from 'vitest';
import { WorkerBus, type WorkerChannel, WorkerRelay } from '../../src/cluster/worker-bus.ts';
import { joinPages, WorkerMetrics } from '../../src/live/worker-metrics.ts';

/** Workers with the process between them, and channels that deliver in the order in which things were sent. */
function startWorkers(pages: readonly string[]) {
  const relay = new WorkerRelay();
  return pages.map((page, index) => {
    const [one, other] = connect();
    relay.add(other);
    const metrics = new WorkerMetrics(new WorkerBus(one), String(index + 1));
    metrics.use((names) =>
      page
        .split('\n')
        .filter(
          (line) => names === null || !/registry=/.test(line) || [...names].some((name) => line.includes(`"${name}"`)),
        )
        .join('\n'),
    );
    return metrics;
  });
}

function connect(): [WorkerChannel, WorkerChannel] {
  const listeners: ((message: unknown) => void)[][] = [[], []];
  const end = (mine: number, its: number): WorkerChannel => ({
    send: (message) => {
      const text = JSON.stringify(message);
      setImmediate(() => {
        for (const listener of listeners[its] ?? []) listener(JSON.parse(text));
      });
    },
    onMessage: (listener) => void listeners[mine]?.push(listener),
  });
  return [end(0, 1), end(1, 0)];
}

const pageOf = (count: number, rest = '') =>
  `# HELP searches_total Searches.\n# TYPE searches_total counter\nsearches_total ${count}\n${rest}`;

describe('the metrics of several workers', () => {
  it('are those of all, whichever is asked, each family once', async () => {
    const errors =
      '# HELP errors_total Errors.\n# TYPE errors_total counter\nerrors_total{registry="one",code="A b"} 2\n';
    const workers = startWorkers([pageOf(1), pageOf(2, errors), pageOf(3, errors)]);
    expect(await workers[0]?.gather(pageOf(1), null)).toBe(
      [
        ...['# HELP searches_total Searches.', '# TYPE searches_total counter'],
        ...['searches_total{worker="1"} 1', 'searches_total{worker="2"} 2', 'searches_total{worker="3"} 3'],
        ...['# HELP errors_total Errors.', '# TYPE errors_total counter'],
        ...[
          'errors_total{worker="2",registry="one",code="A b"} 2',
          'errors_total{worker="3",registry="one",code="A b"} 2',
        ],
        '',
      ].join('\n'),
    );
    expect((await workers[1]?.gather(pageOf(2), null))?.split('\n')[2]).toBe('searches_total{worker="2"} 2');
  });

  it('tell of no registry that the one who asks may not see', async () => {
    const rest = 'errors_total{registry="seen"} 2\nerrors_total{registry="hidden"} 2\n';
    const workers = startWorkers([pageOf(1), pageOf(2, rest)]);
    const page = await workers[0]?.gather(pageOf(1), ['seen']);
    expect(page).toContain('registry="seen"');
    expect(page).not.toContain('hidden');
  });

  it('come whole, however long they are, for several who ask at one time', async () => {
    const long = Array.from({ length: 20_000 }, (_, index) => `searches_total{of="${'x'.repeat(60)}${index}"} 1`);
    const workers = startWorkers([pageOf(1), pageOf(2, `${long.join('\n')}\n`)]);
    const pages = await Promise.all([1, 2, 3].map(() => workers[0]?.gather(pageOf(1), null)));
    for (const page of pages) expect(page?.split('\n')).toHaveLength(2 + 2 + long.length + 1);
  });

  it('of one alone have its label too', () => {
    expect(joinPages([['7', pageOf(1)]])).toBe(pageOf(1).replace('total 1', 'total{worker="7"} 1'));
  });
});
