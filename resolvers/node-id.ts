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

/** Memory for the JSON of one id. Longer ones are rare. */
const scratch = Buffer.allocUnsafeSlow(512);
const [SPACE, QUOTE, COMMA, BACKSLASH, BRACKET, TILDE] = [0x20, 0x22, 0x2c, 0x5c, 0x5d, 0x7e];
const TEMPLATE_START = Buffer.from('["T","');

/** The id of one version of a template at a registry. */
export function encodeTemplateId(registryName: string, name: string, version: string): string {
  return encodePlainId(registryName, name, version) ?? encode(['T', registryName, name, version]);
}

/** The id of a registry. */
export function encodeRegistryId(name: string): string {
  return encode(['R', name]);
}

function encode(parts: readonly string[]): string {
  return Buffer.from(JSON.stringify(parts)).toString('base64url');
}

/**
 * The same as by way of JSON, in a third of the time and without a copy of anything: each row of a page has an id. null
 * where a character is to be escaped, or is not ASCII.
 */
function encodePlainId(registryName: string, name: string, version: string): string | null {
  if (registryName.length + name.length + version.length + 16 > scratch.length) return null;
  let end = TEMPLATE_START.copy(scratch);
  end = writePlain(registryName, end);
  if (end > 0) end = writePlain(name, writeBetween(end));
  if (end > 0) end = writePlain(version, writeBetween(end));
  if (end === 0) return null;
  scratch[end] = QUOTE;
  scratch[end + 1] = BRACKET;
  return scratch.toString('base64url', 0, end + 2);
}

/** Gives where it ends; 0 where the text is not plain. */
function writePlain(text: string, start: number): number {
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code < SPACE || code > TILDE || code === QUOTE || code === BACKSLASH) return 0;
    scratch[start + index] = code;
  }
  return start + text.length;
}

function writeBetween(start: number): number {
  scratch[start] = QUOTE;
  scratch[start + 1] = COMMA;
  scratch[start + 2] = QUOTE;
  return start + 3;
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
