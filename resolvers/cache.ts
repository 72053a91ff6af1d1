/** schema/cache.graphql */
import type { CacheLayer } from '../src/domain/cache.ts';
import { checkRegistryName, checkValue } from './arguments.ts';
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
  const registryName = registry == null ? null : checkRegistryName('input.registry', registry, context.view);
  const templateName = template == null ? null : checkValue('input.template', template);
  const detail = layer == null ? null : `layer ${layer}`;
  return context.audit.perform(
    { action: 'cache.invalidate', registryName, template: templateName, detail },
    async () => {
      const removed = await context.view.invalidateCache({
        ...(registryName !== null && { registry: registryName }),
        ...(templateName !== null && { template: templateName }),
        ...(layer != null && { layer }),
      });
      // Whatever is untold is older than this one, or this one.
      return { removed, replicasTold: (context.gateway.readSharing()?.untoldInvalidations ?? 0) === 0 };
    },
    ({ replicasTold }) => ({
      outcome: 'SUCCEEDED',
      detail: replicasTold ? detail : [...(detail === null ? [] : [detail]), 'not told to all processes'].join(', '),
    }),
  );
}

export const cacheResolvers = { Mutation: { invalidateCache } };
