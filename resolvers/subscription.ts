/** schema/subscription.graphql */
import type { SearchProgress, VisibleRegistry } from '../src/federation/answers.ts';
import { checkRegistryNames } from './arguments.ts';
import type { RequestContext } from './context.ts';
import { readSearchRequest, type SearchArguments } from './search.ts';

type ProgressArguments = Omit<SearchArguments, 'after' | 'last' | 'before'>;

function searchProgress(_: unknown, given: ProgressArguments, context: RequestContext) {
  return context.view.searchProgressively(readSearchRequest(given, context));
}

function registryHealth(_: unknown, given: { registries?: readonly string[] | null }, { view }: RequestContext) {
  return view.watchHealth(checkRegistryNames('registries', given.registries, view));
}

export const subscriptionResolvers = {
  Subscription: {
    searchProgress: {
      subscribe: searchProgress,
      resolve: (progress: SearchProgress, _: unknown, { gateway }: RequestContext) => {
        if (progress.result !== null) gateway.countSearch(progress.result.tookMs);
        return progress;
      },
    },
    registryHealth: { subscribe: registryHealth, resolve: (registry: VisibleRegistry) => registry },
  },
};
