/** Reads the text of a template document, YAML or JSON, that a caller wants to publish. */
import { hash } from 'node:crypto';
import { isNestedDeeper } from '../domain/json-depth.ts';
import type { TemplateDocument } from '../domain/template.ts';
import { findJsonFault } from './json-text.ts';
import { findTemplateFaults } from './template-faults.ts';
import { readYamlText } from './yaml-text.ts';

/** The contract's schema: 1 MB at most, in UTF-8. */
export const MAX_DOCUMENT_BYTES = 1_048_576;
/** A template is five levels deep. */
const MAX_DEPTH = 32;

/** The document, or why it is none: what it must do instead, without any of its text. Never both. */
export type DocumentReading =
  | { readonly document: TemplateDocument; readonly faults: null }
  | { readonly document: null; readonly faults: readonly [string, ...string[]] };

/**
 * Reads and judges the structure of a document: that it can be read in one way only, that it has a name and a version which
 * may be published, and that the members of the protocol are what they must be. Members that are not known are left alone. A
 * text that begins with a brace is JSON; every other is YAML. Takes some 100 ms at most, whatever the text.
 */
export function readDocument(text: string): DocumentReading {
  if (text.length > MAX_DOCUMENT_BYTES) return refuse(`must have ${MAX_DOCUMENT_BYTES} bytes at most`);
  if (!text.isWellFormed() || text.includes('\u0000'))
    return refuse('must be plain text; halves of characters are none');
  const bytes = new TextEncoder().encode(text);
  if (bytes.byteLength > MAX_DOCUMENT_BYTES) return refuse(`must have ${MAX_DOCUMENT_BYTES} bytes at most`);
  const isJson = /^\s*\{/.test(text.slice(0, 1000));
  const reading = isJson ? readJsonText(text, bytes) : readYamlText(text, MAX_DEPTH);
  if ('fault' in reading) return refuse(reading.fault);
  const template = findTemplateFaults(reading.value);
  if ('faults' in template) return { document: null, faults: template.faults };
  return {
    document: {
      ...template,
      bytes,
      mediaType: isJson ? 'application/json' : 'application/yaml',
      digest: `sha256:${hash('sha256', bytes, 'hex')}`,
    },
    faults: null,
  };
}

function readJsonText(text: string, bytes: Uint8Array): { readonly value: unknown } | { readonly fault: string } {
  // Half a million brackets take a second to parse.
  if (isNestedDeeper(bytes, MAX_DEPTH)) return { fault: `must be nested ${MAX_DEPTH} levels deep at most` };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { fault: 'must be JSON, because it begins with a brace; it is not (a template in YAML begins with a key)' };
  }
  const fault = findJsonFault(text, MAX_DEPTH);
  return fault === null ? { value } : { fault };
}

function refuse(fault: string): DocumentReading {
  return { document: null, faults: [`The document ${fault}.`] };
}
