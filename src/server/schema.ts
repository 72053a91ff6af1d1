/** Puts the files of schema/ and the resolvers together. */
import { readdirSync, readFileSync } from 'node:fs';
import { makeExecutableSchema } from '@graphql-tools/schema';
import type { GraphQLSchema } from 'graphql';
import { resolvers } from '../../resolvers/index.ts';

const SCHEMA_FOLDER = new URL('../../schema/', import.meta.url);

/** The schema that the gateway serves. Throws when a file of it, or a resolver without a field, is wrong. */
export function buildGatewaySchema(): GraphQLSchema {
  const typeDefs = readdirSync(SCHEMA_FOLDER)
    .filter((name) => name.endsWith('.graphql'))
    .sort()
    .map((name) => readFileSync(new URL(name, SCHEMA_FOLDER), 'utf8'));
  return makeExecutableSchema({ typeDefs, resolvers });
}
