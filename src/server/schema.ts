/** Puts the files of schema/ and the resolvers together. */
import { readdirSync, readFileSync } from 'node:fs';
import {
  buildASTSchema,
  type DefinitionNode,
  type GraphQLNamedType,
  type GraphQLSchema,
  isAbstractType,
  isObjectType,
  isScalarType,
  Kind,
  type ObjectTypeDefinitionNode,
  parse,
} from 'graphql';
import { resolvers } from '../../resolvers/index.ts';

const SCHEMA_FOLDER = new URL('../../schema/', import.meta.url);

/** Of one type: by the name of a field what answers it; behind two underscores, what the type itself does. */
type TypeResolvers = Readonly<Record<string, unknown>>;

/** The schema that the gateway serves. Throws when a file of it, or a resolver without a field, is wrong. */
export function buildGatewaySchema(): GraphQLSchema {
  const definitions = readdirSync(SCHEMA_FOLDER)
    .filter((name) => name.endsWith('.graphql'))
    .sort()
    .flatMap((name) => parse(readFileSync(new URL(name, SCHEMA_FOLDER), 'utf8'), { noLocation: true }).definitions);
  const schema = buildASTSchema({ kind: Kind.DOCUMENT, definitions: joinExtensions(definitions) });
  for (const file of resolvers) {
    for (const [name, ofType] of Object.entries<TypeResolvers>(file)) addResolvers(schema.getType(name), name, ofType);
  }
  return schema;
}

/** Files extend the root types by fields of their own: here they are one type, its fields in the order of the files. */
function joinExtensions(definitions: readonly DefinitionNode[]): readonly DefinitionNode[] {
  const joined = new Map<string | DefinitionNode, DefinitionNode>();
  for (const one of definitions) {
    if (one.kind !== Kind.OBJECT_TYPE_DEFINITION && one.kind !== Kind.OBJECT_TYPE_EXTENSION) {
      joined.set(one, one);
      continue;
    }
    const before = joined.get(one.name.value);
    const fields = [
      ...(before !== undefined && 'fields' in before ? (before.fields ?? []) : []),
      ...(one.fields ?? []),
    ];
    // What is no field, such as the description, is the definition's, wherever among the files it stands.
    const whole = one.kind === Kind.OBJECT_TYPE_EXTENSION ? (before ?? one) : one;
    joined.set(one.name.value, { ...whole, kind: Kind.OBJECT_TYPE_DEFINITION, fields } as ObjectTypeDefinitionNode);
  }
  return [...joined.values()];
}

/** What graphql-js lets be said of a type after it was made, it has as plain members. */
function addResolvers(type: GraphQLNamedType | undefined, name: string, ofType: TypeResolvers): void {
  for (const [member, resolver] of Object.entries(ofType)) {
    if (member.startsWith('__') && (isScalarType(type) || isAbstractType(type))) {
      const own = member.slice(2);
      if (!(own in type)) throw new TypeError(`The type ${name} has no "${own}" that a resolver could give.`);
      Object.assign(type, { [own]: resolver });
      continue;
    }
    const field = isObjectType(type) ? type.getFields()[member] : undefined;
    if (field === undefined) throw new TypeError(`There is a resolver of ${name}.${member}, but no such field.`);
    Object.assign(field, typeof resolver === 'function' ? { resolve: resolver } : resolver);
  }
}
