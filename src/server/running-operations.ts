/** Operations that are executed at one time, of those that come over a socket or as a stream. */
import type { OperationDefinitionNode } from 'graphql';
import type { Quota } from '../access/caller-quotas.ts';

/**
 * Takes a place among the operations that its caller has executed at one time, as one that comes by plain HTTP does.
 * Subscriptions have a bound of their own and need none. Gives what leaves the place, once, and calls `leaveOther`. Throws
 * RateLimited, and has called `leaveOther` then.
 */
export function enterRunning(
  { operation }: Pick<OperationDefinitionNode, 'operation'>,
  quota: Pick<Quota, 'enter' | 'leave'> | null,
  leaveOther: () => void,
): () => void {
  if (quota === null || operation === 'subscription') return leaveOther;
  try {
    quota.enter();
  } catch (error) {
    leaveOther();
    throw error;
  }
  let isIn = true;
  return () => {
    if (!isIn) return;
    isIn = false;
    quota.leave();
    leaveOther();
  };
}
