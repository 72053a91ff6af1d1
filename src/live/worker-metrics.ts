/**
 * /metrics of several workers at one address. Whichever is asked gives the numbers of all, each under a label of its own: sums
 * would fall when a worker is replaced, and Prometheus would take that for work that was done again.
 */
import { randomUUID } from 'node:crypto';
import type { EventBus } from '../cluster/event-bus.ts';

/** A message holds less than the most that one may have. */
const PART_CHARACTERS = 500_000;

/** Writes the page of this worker; `names`: of the registries that it may tell of; null: of all. */
type WritePage = (names: ReadonlySet<string> | null) => string;

export class WorkerMetrics {
  readonly #bus: EventBus;
  readonly #worker: string;
  #write: WritePage = () => '';
  /** What the others have sent, for each page that is being put together. */
  readonly #gathering = new Map<string, [worker: string, text: string][]>();

  /** `bus`: to the others; `worker`: stands for this one. */
  constructor(bus: EventBus, worker: string) {
    this.#bus = bus;
    this.#worker = worker;
    // At once: whoever asks takes that all have heard it for that all have answered.
    bus.subscribe('METRICS_WANTED', ({ id, names }) => {
      const page = this.#write(names === null ? null : new Set(names));
      for (let from = 0; from < page.length; from += PART_CHARACTERS) {
        void bus.publish({ kind: 'METRICS', id, worker, text: page.slice(from, from + PART_CHARACTERS) });
      }
    });
    bus.subscribe('METRICS', ({ id, worker: from, text }) => {
      this.#gathering.get(id)?.push([from, text]);
    });
  }

  /** From now on this worker's numbers are these. */
  use(write: WritePage): void {
    this.#write = write;
  }

  /** The page of all workers, beginning with this one's own. One that is stuck is left out. Never rejects. */
  async gather(own: string, names: readonly string[] | null): Promise<string> {
    const id = randomUUID();
    const parts: [string, string][] = [];
    this.#gathering.set(id, parts);
    await this.#bus.publish({ kind: 'METRICS_WANTED', id, names: names === null ? null : [...names] });
    this.#gathering.delete(id);
    const others = Map.groupBy(parts, ([worker]) => worker);
    const pages = [...others].map(([worker, texts]) => [worker, texts.map(([, text]) => text).join('')] as const);
    return joinPages([[this.#worker, own], ...pages]);
  }
}

/** Pages in Prometheus' text format as one; each family stands together, described once. */
export function joinPages(pages: readonly (readonly [worker: string, page: string])[]): string {
  const families = new Map<string, string[]>();
  for (const [worker, page] of pages) {
    let lines: string[] = [];
    let isNew = true;
    for (const line of page.split('\n')) {
      if (line.startsWith('# HELP ')) {
        const name = line.split(' ', 3)[2] ?? '';
        isNew = !families.has(name);
        lines = families.get(name) ?? [];
        families.set(name, lines);
      }
      if (!line.startsWith('#')) lines.push(...(line === '' ? [] : [addLabel(line, worker)]));
      else if (isNew) lines.push(line);
    }
  }
  return `${[...families.values()].flat().join('\n')}\n`;
}

/** Names of metrics have neither braces nor spaces. */
function addLabel(sample: string, worker: string): string {
  const end = sample.search(/[{ ]/);
  const name = sample.slice(0, end);
  const rest = sample.slice(end);
  return rest.startsWith('{') ? `${name}{worker="${worker}",${rest.slice(1)}` : `${name}{worker="${worker}"}${rest}`;
}
