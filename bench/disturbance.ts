/**
 * Whether something else worked on the machine while a slice was measured: processor time of the whole machine, less that of
 * the benchmark's own processes. Linux tells; elsewhere nothing counts as a disturbance.
 */
import { readFileSync } from 'node:fs';

/** Linux reports processor time in hundredths of a second, whatever the kernel counts in (proc(5), USER_HZ). */
const TICK_MS = 10;
/** Of one processor. Kernel threads that serve the benchmark itself and the coarse clock take up to half of that. */
const MOST_OTHERS = 0.15;
/** Time that the hypervisor gave to another machine, of one processor. */
const MOST_STOLEN = 0.03;

interface MachineTime {
  readonly atMs: number;
  readonly busyMs: number;
  readonly stolenMs: number;
  readonly ownMs: number;
}

/** How much of one processor was used by others while a slice ran. */
export interface Disturbance {
  readonly others: number;
  readonly isDisturbed: boolean;
}

/** Begins to watch; the function it gives tells what happened since. `processIds`: the benchmark's own processes. */
export function watchMachine(processIds: () => readonly number[]): () => Disturbance {
  const before = readMachineTime(processIds());
  return () => {
    const after = readMachineTime(processIds());
    if (before === null || after === null) return { others: 0, isDisturbed: false };
    const tookMs = after.atMs - before.atMs;
    const others = Math.max(0, (after.busyMs - before.busyMs - (after.ownMs - before.ownMs)) / tookMs);
    const stolen = (after.stolenMs - before.stolenMs) / tookMs;
    // In a slice of a few ticks the clock is too coarse to tell.
    const isTold = tookMs >= 20 * TICK_MS;
    return { others, isDisturbed: isTold && (others > MOST_OTHERS || stolen > MOST_STOLEN) };
  };
}

function readMachineTime(processIds: readonly number[]): MachineTime | null {
  try {
    // user nice system idle iowait irq softirq steal (proc(5), /proc/stat)
    const counts = readFileSync('/proc/stat', 'latin1').split('\n')[0]?.split(/\s+/).slice(1).map(Number) ?? [];
    const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = counts;
    const own = processIds.map(readProcessTicks).reduce((sum, ticks) => sum + ticks, 0);
    return {
      atMs: performance.now(),
      busyMs: (user + nice + system + irq + softirq) * TICK_MS,
      stolenMs: steal * TICK_MS,
      ownMs: own * TICK_MS,
    };
  } catch {
    return null;
  }
}

/** User and system time of a process: the 14th and 15th fields, counted behind the name, which may hold anything. */
function readProcessTicks(processId: number): number {
  const fields = readFileSync(`/proc/${processId}/stat`, 'latin1')
    .replace(/^.*\) /s, '')
    .split(' ');
  return Number(fields[11]) + Number(fields[12]);
}
