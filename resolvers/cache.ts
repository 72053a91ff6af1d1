/** schema/cache.graphql */
import type { CacheLayer } from '../src/domain/cache.ts';
import { checkValue } from './arguments.ts';
import type { RequestContext } from './context.ts';

interface InvalidateCacheArguments {
  readonly input: {
    readonly registry?: string | null;
    readonly template?: string | null;
    readonly layer?: CacheLayer | null;
  };
}

async function invalidateCache(_: unknown, { input }: InvalidateCacheArguments, context: RequestContext) {
  context.requireRole('admin');
  const { registry, template, layer } = input;
  const removed = await context.view.invalidateCache({
    ...(registry != null && { registry: checkValue('input.registry', registry) }),
    ...(template != null && { template: checkValue('input.template', template) }),
    ...(layer != null && { layer }),
  });
  return { removed };
}

export const cacheResolvers = { Mutation: { invalidateCache } };
