/**
 * Ids stand for (registry, name, version) of a template or the name of a registry. They hold nothing that their holder
 * could not see, need no key and no table, and so are the same after a restart and on every replica.
 */
import { Buffer } from 'node:buffer';
import { BadUserInput } from '../src/domain/errors.ts';

export type NodeKey =
  | { readonly type: 'Template'; readonly registryName: string; readonly name: string; readonly version: string }
  | { readonly type: 'Registry'; readonly name: string };

/** Longest id that is looked at: three values of the longest that a registry may send fit well within it. */
const MAX_ID_LENGTH = 4096;

/** The id of one version of a template at a registry. */
export function encodeTemplateId(registryName: string, name: string, version: string): string {
  return Buffer.from(JSON.stringify(['T', registryName, name, version])).toString('base64url');
}

/** The id of a registry. */
export function encodeRegistryId(name: string): string {
  return Buffer.from(JSON.stringify(['R', name])).toString('base64url');
}

/** Reads an id. `field` names the argument. Throws BadUserInput for text that this gateway never gave as an id. */
export function decodeNodeId(id: string, field: string): NodeKey {
  const key = id.length <= MAX_ID_LENGTH ? readKey(id) : null;
  if (key === null) {
    throw new BadUserInput(field, `"${field}" must be an id that this gateway gave; the one given is not.`);
  }
  return key;
}

function readKey(id: string): NodeKey | null {
  const parts = parseJson(Buffer.from(id, 'base64url').toString());
  if (!Array.isArray(parts) || !parts.every((part) => typeof part === 'string')) return null;
  const [type, first, second, third] = parts;
  if (first === undefined) return null;
  // Encoded again and compared: one thing has one id, whatever base64 and JSON let through.
  if (type === 'T' && second !== undefined && third !== undefined && encodeTemplateId(first, second, third) === id) {
    return { type: 'Template', registryName: first, name: second, version: third };
  }
  if (type === 'R' && encodeRegistryId(first) === id) return { type: 'Registry', name: first };
  return null;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
