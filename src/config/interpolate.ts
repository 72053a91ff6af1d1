/** `${VAR}`, `${VAR:-default}` and `${file:/run/secrets/x}` in the texts of a configuration. The contract, 2. */
import { resolve } from 'node:path';
import type { Environment } from './environment.ts';
import { readText } from './files.ts';

/** A secret, a token or a path: whatever is longer was not meant. */
const MAX_FILE_BYTES = 64 * 1024;

export interface Interpolation {
  readonly text: string;
  /** The variables that were read, set or not. */
  readonly variables: readonly string[];
  /** The files that were read, or could not be; absolute paths. */
  readonly files: readonly string[];
  /** Each completes "must be ...". With one of them, `text` is not to be used. */
  readonly faults: readonly string[];
}

/**
 * Fills in what a text refers to. `$${` stands for a literal `${`. A default is taken where the variable is unset or empty;
 * what is filled in is not searched again. A file loses the newline at its end; relative paths start at `folder`.
 */
export function interpolateText(text: string, environment: Environment, folder: string): Interpolation {
  const variables: string[] = [];
  const files: string[] = [];
  const faults: string[] = [];
  const filled = text.replace(
    /\$\$\{|\$\{([^}]*)(\}?)/g,
    (whole, body: string | undefined, end: string | undefined) => {
      if (body === undefined) return '${';
      const found = end === '' ? MALFORMED : resolveReference(body, environment, folder);
      if ('variable' in found) variables.push(found.variable);
      if ('file' in found) files.push(found.file);
      if ('value' in found) return found.value;
      faults.push(found.fault);
      return whole;
    },
  );
  return { text: filled, variables, files, faults };
}

type Resolved =
  | { readonly value: string; readonly variable: string }
  | { readonly value: string; readonly file: string }
  | { readonly fault: string; readonly file: string }
  | { readonly fault: string; readonly variable: string }
  | { readonly fault: string };

const MALFORMED: Resolved = {
  fault: `written as \${VAR}, \${VAR:-default} or \${file:/path} wherever it has \${ (a literal one is written $\${)`,
};

function resolveReference(body: string, environment: Environment, folder: string): Resolved {
  const path = /^file:(.+)$/s.exec(body)?.[1];
  if (path !== undefined) return resolveFile(path, folder);
  const [, variable, fallback] = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s.exec(body) ?? [];
  if (variable === undefined || fallback?.includes('${') === true) return MALFORMED;
  const value = Object.hasOwn(environment, variable) ? environment[variable] : undefined;
  if (fallback !== undefined && (value === undefined || value === '')) return { value: fallback, variable };
  if (value !== undefined) return { value, variable };
  return {
    fault: `filled in: the environment has no variable ${variable} (set it, or write \${${variable}:-default})`,
    variable,
  };
}

function resolveFile(path: string, folder: string): Resolved {
  const file = resolve(folder, path);
  const content = readText(file, MAX_FILE_BYTES);
  if (content.ok) return { value: content.text.replace(/\r?\n$/, ''), file };
  return { fault: `filled in: the file ${path} cannot be used (${content.reason})`, file };
}
