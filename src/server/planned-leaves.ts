/** Leaves whose values GraphQL writes as they are, so that they need not be handed to their type. */
import { GraphQLBoolean, GraphQLFloat, GraphQLID, type GraphQLLeafType, GraphQLString } from 'graphql';

/** What `typeof` says of such values. */
type WrittenAsIs = 'string' | 'boolean' | 'number';

const WRITTEN_AS_IS: ReadonlyMap<GraphQLLeafType, WrittenAsIs> = new Map<GraphQLLeafType, WrittenAsIs>([
  [GraphQLString, 'string'],
  [GraphQLID, 'string'],
  [GraphQLBoolean, 'boolean'],
  [GraphQLFloat, 'number'],
]);

/** null: its values are always handed to the type. */
export function findWritten(type: GraphQLLeafType): WrittenAsIs | null {
  return WRITTEN_AS_IS.get(type) ?? null;
}

/** Whether this value is written as it is. */
export function isWrittenAsIs(asIs: WrittenAsIs | null, value: unknown): boolean {
  return typeof value === asIs && (asIs !== 'number' || Number.isFinite(value));
}
