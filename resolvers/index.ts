/** All resolvers: one file for each file of the schema. A field that is not here is read from its object by name. */
import { auditResolvers } from './audit.ts';
import { cacheResolvers } from './cache.ts';
import { gatewayResolvers } from './gateway.ts';
import { nodeResolvers } from './node.ts';
import { publishingResolvers } from './publishing.ts';
import { registryResolvers } from './registry.ts';
import { scalars } from './scalars.ts';
import { searchResolvers } from './search.ts';
import { subscriptionResolvers } from './subscription.ts';
import { templateResolvers } from './template.ts';
import { viewerResolvers } from './viewer.ts';

export const resolvers = [
  scalars,
  nodeResolvers,
  searchResolvers,
  templateResolvers,
  registryResolvers,
  gatewayResolvers,
  viewerResolvers,
  cacheResolvers,
  auditResolvers,
  publishingResolvers,
  subscriptionResolvers,
];
