/** Leaves whose values GraphQL writes as they are, so that they need not be handed to their type. */
import { GraphQLBoolean, GraphQLFloat, GraphQLID, GraphQLInt, type GraphQLLeafType, GraphQLString } from 'graphql';

/** Of which kind a value has to be. */
export type WrittenAsIs = 'string' | 'boolean' | 'number' | 'int32';

const WRITTEN_AS_IS: ReadonlyMap<GraphQLLeafType, WrittenAsIs> = new Map<GraphQLLeafType, WrittenAsIs>([
  [GraphQLString, 'string'],
  [GraphQLID, 'string'],
  [GraphQLBoolean, 'boolean'],
  [GraphQLFloat, 'number'],
  [GraphQLInt, 'int32'],
]);

/** null: its values are always handed to the type. */
export function findWritten(type: GraphQLLeafType): WrittenAsIs | null {
  return WRITTEN_AS_IS.get(type) ?? null;
}

/** Whether this value is written as it is. */
export function isWrittenAsIs(asIs: WrittenAsIs, value: unknown): boolean {
  switch (asIs) {
    case 'string':
      return typeof value === 'string';
    case 'boolean':
      return typeof value === 'boolean';
    case 'number':
      return typeof value === 'number' && Number.isFinite(value);
    case 'int32':
      return typeof value === 'number' && (value | 0) === value;
  }
}
