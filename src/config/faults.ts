/** What is wrong with a configuration: every fault of it, each with its place, none with a secret. */

export interface ConfigFault {
  /** Path of the file; "environment"; "configuration" for a document that was built in code. */
  readonly source: string;
  /** From 1; null where there is no file. */
  readonly line: number | null;
  readonly column: number | null;
  /** As in `registries[1].credentials.token`; the variable's name in the environment; empty: the document itself. */
  readonly key: string;
  /** Completes "must be ...". */
  readonly expected: string;
  /** Never a secret's value. null: nothing to show. */
  readonly given: string | null;
  /** The nearest known key or value. */
  readonly suggestion: string | null;
}

export type KeyPath = readonly (string | number)[];

/** More on a terminal hide the first ones; `faults` has them all. */
const MAX_SHOWN_FAULTS = 100;

/** A configuration that cannot be used. The message lists the faults, one a line, ready for a terminal. */
export class ConfigFaults extends Error {
  override readonly name = 'ConfigFaults';
  readonly faults: readonly ConfigFault[];

  constructor(faults: readonly ConfigFault[]) {
    const count = faults.length === 1 ? 'one fault' : `${faults.length} faults`;
    const shown = faults.slice(0, MAX_SHOWN_FAULTS).map((fault) => `  ${formatFault(fault)}`);
    const rest = faults.length > shown.length ? [`  and ${faults.length - shown.length} more.`] : [];
    super([`The configuration has ${count}:`, ...shown, ...rest].join('\n'));
    this.faults = faults;
  }
}

/** The fault as one sentence with its place in front, in the form that terminals make clickable (`file:line:column`). */
export function formatFault(fault: ConfigFault): string {
  const place = fault.line === null ? fault.source : `${fault.source}:${fault.line}:${fault.column ?? 1}`;
  const subject = fault.key === '' ? 'the document' : fault.key;
  const given = fault.given === null ? '' : `, but ${fault.given} was given`;
  const suggestion = fault.suggestion === null ? '' : ` Did you mean "${fault.suggestion}"?`;
  return printable(`${place} ${subject} must be ${fault.expected}${given}.${suggestion}`);
}

/** The key path as people write it: `registries[1].credentials.token`. */
export function formatKeyPath(path: KeyPath): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (/^[\w-]+$/.test(part)) text += text === '' ? part : `.${part}`;
    else text += `[${JSON.stringify(part.length > 60 ? `${part.slice(0, 60)}…` : part)}]`;
  }
  return text;
}

/** Keys and values come from a file: nothing of it may steer the terminal or turn the line around. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return `\\u{${code.toString(16)}}`;
  });
}
