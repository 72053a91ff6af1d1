/** schema/viewer.graphql */
import type { Caller } from '../src/domain/caller.ts';
import type { RequestContext } from './context.ts';

export const viewerResolvers = {
  Query: {
    viewer: (_: unknown, __: unknown, { caller }: RequestContext) => caller,
  },
  Viewer: {
    registries: (_: Caller, __: unknown, { view }: RequestContext) => view.registries,
  },
};
