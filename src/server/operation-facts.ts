/** What a document says of the answers to its operations, before any is executed. */
import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLCompositeType,
  type GraphQLField,
  type GraphQLSchema,
  getNamedType,
  isAbstractType,
  isCompositeType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
  typeFromAST,
} from 'graphql';

export interface OperationFacts {
  /** A query without any live field: its answer is the same for a while. */
  readonly isCacheable: boolean;
  /** Whether the address by which the client reached the gateway may be in the answer. */
  readonly usesOrigin: boolean;
}

/** The one field that says where the gateway itself is. */
const ORIGIN_FIELD = 'TemplateContent.url';

interface Directed {
  readonly astNode?:
    | { readonly directives?: readonly { readonly name: { readonly value: string } }[] | undefined }
    | null
    | undefined;
}

/**
 * Whether an operation has a field that the schema calls live (`@live`), itself, by its type, or by an argument that is
 * given. @skip and @include are not looked at, since variables may decide them. What is wrong with the document makes it
 * live: there is nothing to be kept of it.
 */
export function readOperationFacts(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
): OperationFacts {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  }
  const seen = new Set<string>();
  let usesOrigin = false;

  function isSetLive(selectionSet: SelectionSetNode, type: GraphQLCompositeType): boolean {
    return selectionSet.selections.some((selection) => {
      switch (selection.kind) {
        case Kind.FIELD:
          return isFieldLive(selection, type);
        case Kind.INLINE_FRAGMENT: {
          const condition = selection.typeCondition ? typeFromAST(schema, selection.typeCondition) : type;
          return !isCompositeType(condition) || isSetLive(selection.selectionSet, condition);
        }
        case Kind.FRAGMENT_SPREAD:
          return isFragmentLive(selection.name.value);
        default:
          return selection satisfies never;
      }
    });
  }

  /** Each is looked at once: where it is spread again, it was found not to be live, or the search has ended. */
  function isFragmentLive(name: string): boolean {
    if (seen.has(name)) return false;
    seen.add(name);
    const fragment = fragments.get(name);
    const type = fragment && typeFromAST(schema, fragment.typeCondition);
    return fragment === undefined || !isCompositeType(type) || isSetLive(fragment.selectionSet, type);
  }

  function isFieldLive(field: FieldNode, type: GraphQLCompositeType): boolean {
    const name = field.name.value;
    // The schema does not change while the gateway runs.
    if (name.startsWith('__')) return false;
    const types = isAbstractType(type) ? schema.getPossibleTypes(type) : [type];
    if (types.some((each) => `${each.name}.${name}` === ORIGIN_FIELD)) usesOrigin = true;
    const definitions = types.map((each) => each.getFields()[name]);
    return definitions.some((definition) => {
      if (definition === undefined || isMarkedLive(definition, field)) return true;
      const inner = getNamedType(definition.type);
      if (isObjectType(inner) && isMarked(inner)) return true;
      return isCompositeType(inner) && field.selectionSet !== undefined && isSetLive(field.selectionSet, inner);
    });
  }

  const root = operation.operation === 'query' ? schema.getQueryType() : undefined;
  const isCacheable = root ? !isSetLive(operation.selectionSet, root) : false;
  return { isCacheable, usesOrigin };
}

function isMarkedLive(definition: GraphQLField<unknown, unknown>, field: FieldNode): boolean {
  if (isMarked(definition)) return true;
  const given = new Set(field.arguments?.map((argument) => argument.name.value));
  return definition.args.some((argument) => isMarked(argument) && given.has(argument.name));
}

function isMarked({ astNode }: Directed): boolean {
  return astNode?.directives?.some(({ name }) => name.value === 'live') ?? false;
}
