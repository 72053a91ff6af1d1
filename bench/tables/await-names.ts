/** Before collapse is measured: the gateway is used until it knows which registry carries which names. */
import { generateQuery } from '../catalog.ts';
import { runClients, times } from '../measure.ts';
import type { RegistriesProcess } from '../processes/registries.ts';
import type { GatewaySide } from '../sides.ts';

const SEARCHES_AT_A_TIME = 20;
/** A gateway that lists no names at all must not be waited for. */
const MOST_SEARCHES = 400;
const QUIET_MS = 400;

export interface Learned {
  /** How many searches it took. */
  readonly searches: number;
  /** How many registries were listed. */
  readonly listed: number;
}

/**
 * Searches as a user would, in both orders, until a time passes in which searches make the gateway list no more names. `from`: the
 * number of the first query.
 */
export async function awaitNames(gateway: GatewaySide, registries: RegistriesProcess, from: number): Promise<Learned> {
  let next = from;
  const countListings = async () => (await registries.readArrivals()).map(({ listings }) => listings);
  await registries.forgetArrivals();
  for (let before: readonly number[] = await countListings(); ; ) {
    await runClients(
      () => {
        const order = next % 2 === 0 ? 'POPULARITY' : 'RELEVANCE';
        return gateway.client.send(gateway.write({ query: generateQuery(next++), order, collapse: true }));
      },
      times(SEARCHES_AT_A_TIME),
      1,
    );
    const now = await awaitQuiet(countListings);
    const isUnchanged = now.every((listings, index) => listings === before[index]);
    const searches = next - from;
    const listed = now.filter((listings) => listings > 0).length;
    if (searches >= MOST_SEARCHES || (isUnchanged && listed > 0)) return { searches, listed };
    before = now;
  }
}

/** Waits until the counts stay as they are; gives them. */
async function awaitQuiet(count: () => Promise<readonly number[]>): Promise<readonly number[]> {
  for (let before: readonly number[] = await count(); ; ) {
    await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
    const now = await count();
    if (now.every((value, index) => value === before[index])) return now;
    before = now;
  }
}
