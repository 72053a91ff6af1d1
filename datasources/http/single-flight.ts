import type { Layer, UpstreamResponse, Waiters } from './layer.ts';

interface Flight {
  readonly startedAtMs: number;
  readonly waiters: Waiters;
  /**
   * null once it has landed. A map that grows and shrinks all the time leaves old copies of itself behind, which keep what
   * they hold alive until the whole heap is collected: without this, every answer, parsed, for many collections.
   */
  answer: Promise<UpstreamResponse> | null;
}

/**
 * Lets equal requests share one call: the same path under the same conditions (contract 5.10). Nobody owns the call: it
 * goes on when the one who began it leaves, and its latest deadline is that of all who joined. A call that began before a
 * caller's `notBeforeMs` is not joined, for its answer may be older than that.
 */
export function createSingleFlightLayer(): Layer {
  const flights = new Map<string, Flight>();
  return (next) => (request) => {
    const key = request.etag === null ? request.path : `${request.etag} ${request.path}`;
    const running = flights.get(key);
    if (running !== undefined && running.answer !== null && running.startedAtMs >= request.notBeforeMs) {
      join(running.waiters, request.waiters);
      return running.answer;
    }
    const { waiters } = request;
    const answer = next(request);
    const flight: Flight = { startedAtMs: Date.now(), waiters, answer };
    flights.set(key, flight);
    const land = (): void => {
      flight.answer = null;
      if (flights.get(key) === flight) flights.delete(key);
    };
    answer.then(land, land);
    return answer;
  };
}

function join(waiters: Waiters, others: Waiters): void {
  waiters.latestDeadlineMs = Math.max(waiters.latestDeadlineMs, others.latestDeadlineMs);
  waiters.background &&= others.background;
}
