/** Measuring side by side: rounds in turn, so that what slows the machine slows every contender, and medians over rounds. */
import type { Client } from './client.ts';
import { type Disturbance, watchMachine } from './disturbance.ts';
import { listProcessIds, type Measurable } from './processes/remote.ts';
import { median, percentile, round } from './statistics.ts';

/** One way to do the work. */
export interface Contender {
  readonly name: string;
  /** Its process, whose CPU time is read. */
  readonly process: Measurable;
  readonly client: Client;
  /** The request of a number; no number comes twice. */
  request(number: number): Buffer;
  /** Throws when the answer is not the whole work. */
  check(answer: string): void;
}

export interface RoundOptions {
  readonly rounds: number;
  /** How long one client asks, each request sent when the one before was answered. 0: not at all. */
  readonly aloneMs: number;
  /** How long `connections` clients ask at once, in which CPU is measured. 0: not at all. */
  readonly togetherMs: number;
  readonly connections: number;
  /** How long each is asked before anything is measured, so that V8 has compiled what is run. */
  readonly warmUpMs: number;
  /** By how many clients then: one alone, which waits most of the time, would not bring it there. `connections` unless it is given. */
  readonly warmUpConnections?: number;
  /**
   * How long each is asked in each round before it is measured: while the others work V8 collects garbage, and drops compiled
   * code that depends on what was collected. It is the work that is compared, not the first moments after a pause.
   */
  readonly settleMs: number;
}

/** What one contender did in one round. NaN where it was not measured. */
interface RoundResult {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpuUs: number;
  readonly requestsPerSecond: number;
}

/** Medians over the rounds. */
export interface Measurement extends RoundResult {
  readonly name: string;
  readonly rounds: readonly RoundResult[];
}

export interface Measured {
  readonly measurements: readonly Measurement[];
  /** How the measuring went, for a note. */
  readonly note: string;
}

interface Run {
  readonly contender: Contender;
  readonly rounds: RoundResult[];
  next: number;
}

/** Lets each contender work in turn, in another order each round. A slice that others disturbed is measured again. */
export async function measureRounds(contenders: readonly Contender[], options: RoundOptions): Promise<Measured> {
  const runs = contenders.map((contender): Run => ({ contender, rounds: [], next: 0 }));
  const repeats = new Repeats(runs.length * options.rounds);
  for (const run of runs) {
    await checkOne(run);
    await runFor(run, options.warmUpMs, options.warmUpConnections ?? options.connections);
  }
  for (let roundNumber = 0; roundNumber < options.rounds; roundNumber += 1) {
    for (const offset of runs.keys()) {
      const run = runs[(roundNumber + offset) % runs.length];
      if (run !== undefined) run.rounds.push(await repeats.measure(() => measureRound(run, options)));
    }
  }
  return {
    note: repeats.describe(),
    measurements: runs.map(({ contender, rounds }) => ({
      name: contender.name,
      rounds,
      p50Ms: median(rounds.map((each) => each.p50Ms)),
      p99Ms: median(rounds.map((each) => each.p99Ms)),
      cpuUs: median(rounds.map((each) => each.cpuUs)),
      requestsPerSecond: median(rounds.map((each) => each.requestsPerSecond)),
    })),
  };
}

async function measureRound(run: Run, options: RoundOptions): Promise<RoundResult> {
  const { aloneMs, togetherMs, connections, settleMs } = options;
  await checkOne(run);
  await runFor(run, settleMs, connections);
  const alone = aloneMs === 0 ? [] : await runFor(run, aloneMs, 1);
  if (togetherMs === 0) {
    return {
      p50Ms: percentile(alone, 0.5),
      p99Ms: percentile(alone, 0.99),
      cpuUs: Number.NaN,
      requestsPerSecond: Number.NaN,
    };
  }
  const before = await run.contender.process.readUsage();
  const startedMs = performance.now();
  const { length: requests } = await runFor(run, togetherMs, connections);
  const tookMs = performance.now() - startedMs;
  const after = await run.contender.process.readUsage();
  return {
    p50Ms: percentile(alone, 0.5),
    p99Ms: percentile(alone, 0.99),
    cpuUs: (after.cpuUs - before.cpuUs) / requests,
    requestsPerSecond: (requests / tookMs) * 1000,
  };
}

/** Measures again what was disturbed, as long as no more than a third as many slices again are needed. */
class Repeats {
  readonly #slices: number;
  #left: number;
  #repeated = 0;
  #disturbed = 0;

  constructor(slices: number) {
    this.#slices = slices;
    this.#left = Math.ceil(slices / 3);
  }

  async measure(slice: () => Promise<RoundResult>): Promise<RoundResult> {
    let best: { readonly result: RoundResult; readonly disturbance: Disturbance } | null = null;
    for (;;) {
      const readDisturbance = watchMachine(listProcessIds);
      const result = await slice();
      const disturbance = readDisturbance();
      if (best === null || disturbance.others < best.disturbance.others) best = { result, disturbance };
      if (!best.disturbance.isDisturbed) return best.result;
      if (this.#left === 0) {
        this.#disturbed += 1;
        return best.result;
      }
      this.#left -= 1;
      this.#repeated += 1;
    }
  }

  describe(): string {
    if (this.#repeated === 0) return `No slice of ${this.#slices} was disturbed by other processes.`;
    const remaining =
      this.#disturbed === 0 ? 'none that is disturbed is left' : `${this.#disturbed} disturbed ones are left`;
    return `Slices that other processes disturbed and that were measured again: ${this.#repeated} of ${this.#slices}; ${remaining}.`;
  }
}

async function checkOne(run: Run): Promise<void> {
  const { contender } = run;
  contender.check((await contender.client.send(contender.request(run.next++))).toString());
}

function runFor(run: Run, durationMs: number, connections: number): Promise<number[]> {
  const endMs = performance.now() + durationMs;
  const { client, request } = run.contender;
  return runClients(
    () => client.send(request(run.next++)),
    () => performance.now() < endMs,
    connections,
  );
}

/** Has `clients` work, each on one piece at a time, while `goesOn`. Gives what each piece took, in milliseconds. */
export async function runClients(
  work: () => Promise<unknown>,
  goesOn: () => boolean,
  clients: number,
): Promise<number[]> {
  const latencies: number[] = [];
  const runClient = async () => {
    while (goesOn()) {
      const startedMs = performance.now();
      await work();
      latencies.push(performance.now() - startedMs);
    }
  };
  await Promise.all(Array.from({ length: clients }, runClient));
  return latencies;
}

/** For `runClients`: as often as this. */
export function times(count: number): () => boolean {
  let left = count;
  return () => {
    left -= 1;
    return left >= 0;
  };
}

/** How a contender compares with its limit: the median over the rounds of the ratio in each, and between what they lie. */
export interface Ratio {
  readonly value: number;
  readonly least: number;
  readonly most: number;
}

/** The limit's figure over the contender's, round by round: 1 is as cheap as the limit. */
export function ratioOfLimit(limit: Measurement, contender: Measurement, figure: keyof RoundResult = 'cpuUs'): Ratio {
  const ratios = limit.rounds.map((each, index) => each[figure] / (contender.rounds[index]?.[figure] ?? Number.NaN));
  return { value: median(ratios), least: Math.min(...ratios), most: Math.max(...ratios) };
}

/** "0.81–0.86" */
export function formatSpread({ least, most }: Ratio): string {
  return `${round(least, 2)}–${round(most, 2)}`;
}
