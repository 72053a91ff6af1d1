/**
 * How many arrivals by the moment of each (`performance.now()`) were more than an account that was full at `sinceMs`, of `burst`
 * and so many a second, could have paid for; 0: each was paid. An arrival is never before its call was let go, so that a busy
 * machine, which only makes arrivals later, cannot make this rise.
 */
export function countUnpaid(
  arrivals: readonly { readonly atMs: number }[],
  sinceMs: number,
  { requestsPerSecond, burst }: { readonly requestsPerSecond: number; readonly burst: number },
): number {
  const timesMs = arrivals.map(({ atMs }) => atMs - sinceMs).toSorted((one, other) => one - other);
  const unpaid = timesMs.map((ms, index) => index + 1 - (burst + (ms / 1_000) * requestsPerSecond));
  return Math.max(0, ...unpaid);
}
