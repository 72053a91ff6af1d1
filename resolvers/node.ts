/** schema/node.graphql */
import type { Template } from '../src/domain/template.ts';
import type { VisibleRegistry } from '../src/federation/answers.ts';
import { checkListLength } from './arguments.ts';
import type { RequestContext } from './context.ts';
import { decodeNodeId } from './node-id.ts';

type NodeValue = Template | VisibleRegistry;

async function fetchNode(id: string, field: string, context: RequestContext): Promise<NodeValue | null> {
  const key = decodeNodeId(id, field);
  const registryName = key.type === 'Registry' ? key.name : key.registryName;
  // One that the caller may not see is answered like one that does not exist.
  const registry = context.view.registries.find(({ source }) => source.info.name === registryName);
  if (registry === undefined) return null;
  if (key.type === 'Registry') return registry;
  const template = await context.view.lookUpTemplate(key.name, key.version, registryName);
  if (template !== null) context.gateway.countView(template);
  return template;
}

export const nodeResolvers = {
  Query: {
    node: (_: unknown, { id }: { id: string }, context: RequestContext) => fetchNode(id, 'id', context),
    nodes: (_: unknown, { ids }: { ids: readonly string[] }, context: RequestContext) => {
      return checkListLength('ids', ids).map((id) => fetchNode(id, 'ids', context));
    },
  },
  Node: {
    __resolveType: (value: NodeValue) => ('source' in value ? 'Registry' : 'Template'),
  },
};
