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

/**
 * What keeps a text from being written as it is: what JSON escapes, what is not ASCII, and the only characters of ASCII that
 * base64 writes with one of the two signs that base64url has others for (six bits of 62 or 63 are the end of one of these).
 */
const IS_SPECIAL = /[^ !#-=@-[\]-}]/;

/** The id of one version of a template at a registry. */
export function encodeTemplateId(registryName: string, name: string, version: string): string {
  if (IS_SPECIAL.test(registryName) || IS_SPECIAL.test(name) || IS_SPECIAL.test(version))
    return encode(['T', registryName, name, version]);
  // The same, in half the time: each row of a page has an id.
  return withoutPadding(btoa(`["T","${registryName}","${name}","${version}"]`));
}

/** The id of a registry. */
export function encodeRegistryId(name: string): string {
  return encode(['R', name]);
}

function encode(parts: readonly string[]): string {
  return Buffer.from(JSON.stringify(parts)).toString('base64url');
}

function withoutPadding(base64: string): string {
  if (!base64.endsWith('=')) return base64;
  return base64.slice(0, base64.endsWith('==') ? -2 : -1);
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
