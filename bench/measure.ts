/** Measuring side by side: rounds in turn, so that what slows the machine slows every contender, and medians over rounds. */
import type { Measurable } from './processes/remote.ts';

/** One way to do the work. */
export interface Contender {
  readonly name: string;
  /** Its process, whose CPU time is read. */
  readonly process: Measurable;
  /** Does the work once; no number comes twice. */
  ask(number: number): Promise<string>;
  /** Throws when the answer is not the whole work. */
  check(answer: string): void;
}

export interface RoundOptions {
  readonly rounds: number;
  /** Requests of one client, each sent when the one before was answered. */
  readonly oneByOne: number;
  /** Requests of `clients` at once, in which CPU is measured. */
  readonly atOnce: number;
  readonly clients: number;
  /** Requests to each before anything is measured. */
  readonly warmUp: number;
}

/** Medians over the rounds. */
export interface Measurement {
  readonly name: string;
  /** Of one client alone, in milliseconds. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Of its process for one request, in microseconds: while one client asks, and while several do at once. */
  readonly cpuAloneUs: number;
  readonly cpuUs: number;
  readonly requestsPerSecond: number;
}

/** Lets each contender work in turn, in another order each round. */
export async function measureRounds(
  contenders: readonly Contender[],
  options: RoundOptions,
): Promise<readonly Measurement[]> {
  const runs = contenders.map((contender) => ({ contender, rounds: [] as Omit<Measurement, 'name'>[], next: 0 }));
  for (const run of runs) {
    const take = () => run.contender.ask(run.next++);
    run.contender.check(await take());
    await runClients(take, options.warmUp, options.clients);
  }
  for (let round = 0; round < options.rounds; round += 1) {
    for (const offset of runs.keys()) {
      const run = runs[(round + offset) % runs.length];
      if (run === undefined) continue;
      const take = () => run.contender.ask(run.next++);
      const beforeAlone = await readCpuUs(run.contender);
      const latencies = await runClients(take, options.oneByOne, 1);
      const cpuAloneUs = ((await readCpuUs(run.contender)) - beforeAlone) / options.oneByOne;
      run.contender.check(await take());
      const before = await readCpuUs(run.contender);
      const startedMs = performance.now();
      await runClients(take, options.atOnce, options.clients);
      const tookMs = performance.now() - startedMs;
      run.rounds.push({
        p50Ms: percentile(latencies, 0.5),
        p99Ms: percentile(latencies, 0.99),
        cpuAloneUs,
        cpuUs: ((await readCpuUs(run.contender)) - before) / options.atOnce,
        requestsPerSecond: (options.atOnce / tookMs) * 1000,
      });
    }
  }
  return runs.map(({ contender, rounds }) => ({
    name: contender.name,
    p50Ms: median(rounds.map((each) => each.p50Ms)),
    p99Ms: median(rounds.map((each) => each.p99Ms)),
    cpuAloneUs: median(rounds.map((each) => each.cpuAloneUs)),
    cpuUs: median(rounds.map((each) => each.cpuUs)),
    requestsPerSecond: median(rounds.map((each) => each.requestsPerSecond)),
  }));
}

async function readCpuUs(contender: Contender): Promise<number> {
  return (await contender.process.readUsage(false)).cpuUs;
}

/** Has `clients` do `count` pieces of work between them. Gives what each took, in milliseconds. */
export async function runClients(work: () => Promise<unknown>, count: number, clients: number): Promise<number[]> {
  const latencies: number[] = [];
  let left = count;
  const runClient = async () => {
    while (left > 0) {
      left -= 1;
      const startedMs = performance.now();
      await work();
      latencies.push(performance.now() - startedMs);
    }
  };
  await Promise.all(Array.from({ length: clients }, runClient));
  return latencies;
}

/** The value below which a share of the values lies; nearest rank. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)] ?? Number.NaN;
  return Number.isInteger(middle) ? ((sorted[middle - 1] ?? Number.NaN) + upper) / 2 : upper;
}
