/**
 * Writes plain data as YAML: block style for what holds others, one line for lists of texts. Enough for templates, whose
 * versions in one file are served as documents of their own; the same data always give the same bytes.
 */
import { isMembers } from './member-reader.ts';

const PLAIN = /^[A-Za-z][A-Za-z0-9 _./+-]*$/;
/** Words that YAML 1.1 or 1.2 readers take for something else than text. */
const RESERVED = /^(?:y|n|yes|no|on|off|true|false|null)$/i;

/** A YAML document of the members, with a line break at its end. */
export function writeYaml(members: Readonly<Record<string, unknown>>): string {
  return `${writeMembers(members, '').join('\n')}\n`;
}

function writeMembers(members: Readonly<Record<string, unknown>>, indent: string): readonly string[] {
  return Object.entries(members).flatMap(([name, value]) => writeEntry(`${indent}${writeText(name)}:`, value, indent));
}

function writeEntry(head: string, value: unknown, indent: string): readonly string[] {
  if (Array.isArray(value)) {
    if (value.every((item) => typeof item !== 'object')) return [`${head} [${value.map(writeScalar).join(', ')}]`];
    return [head, ...value.flatMap((item) => [`${indent}  - ${JSON.stringify(item)}`])];
  }
  if (isMembers(value)) {
    const lines = writeMembers(value, `${indent}  `);
    return lines.length === 0 ? [`${head} {}`] : [head, ...lines];
  }
  if (typeof value === 'string' && value.endsWith('\n') && /^\S/.test(value) && !/[^\n -~\u00a0-\ud7ff]/.test(value)) {
    return [`${head} |${value.endsWith('\n\n') ? '+' : ''}`, ...writeBlock(value, `${indent}  `)];
  }
  return [`${head} ${writeScalar(value)}`];
}

function writeBlock(text: string, indent: string): readonly string[] {
  const lines = text.split('\n');
  return lines.slice(0, -1).map((line) => (line === '' ? '' : `${indent}${line}`));
}

function writeScalar(value: unknown): string {
  return typeof value === 'string' ? writeText(value) : JSON.stringify(value);
}

function writeText(text: string): string {
  return PLAIN.test(text) && !text.endsWith(' ') && !RESERVED.test(text) ? text : JSON.stringify(text);
}
