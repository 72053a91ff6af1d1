/** Whether a value is a template of the registry protocol (contract 4), member by member. */
import { findNameFault } from '../domain/names.ts';

/** More than a reader takes in. */
const MAX_FAULTS = 10;
const MAX_VERSION_LENGTH = 100;
const TEXTS = [
  ...['title', 'description', 'long_description', 'category', 'domain', 'license', 'author', 'documentation', 'base'],
  ...['package_manager', 'parent'],
];
const LISTS = ['tags', 'keywords', 'architectures', 'connection_types'];
const ADDRESSES = ['homepage', 'repository'];
const TIMES = ['created_at', 'updated_at', 'withdrawn_at'];
const FLAGS = ['research_user', 'deprecated'];
const COMPLEXITIES = ['simple', 'moderate', 'advanced', 'complex'];
const DEPENDENCY_TYPES = ['template', 'package', 'system'];
/** RFC 3339, or its date alone. */
const TIME = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d))?$/i;

type Members = Readonly<Record<string, unknown>>;

/**
 * Gives the name and the version, or what is wrong: a sentence for each fault. Members that are absent or null are fine but
 * for those two; members that are not known are not looked at.
 */
export function findTemplateFaults(
  value: unknown,
): { readonly name: string; readonly version: string } | { readonly faults: readonly [string, ...string[]] } {
  if (!isMembers(value)) return { faults: ['The document must be a map with the members of a template.'] };
  const faults: string[] = [];
  const complain = (member: string, expected: string): void => void faults.push(`"${member}" must ${expected}.`);
  if (hasForeignKey(value)) faults.push('The document must have no member named "__proto__".');
  const name = readName(value, complain);
  const version = readVersion(value, complain);
  checkMembers(value, complain);
  const market = value.marketplace;
  if (market != null && !isMembers(market)) complain('marketplace', 'be a map');
  checkDependencies(isMembers(market) && market.dependencies != null ? market : value, complain);
  const [first, ...rest] = faults;
  if (first !== undefined) return { faults: [first, ...rest.slice(0, MAX_FAULTS - 1)] };
  return { name, version };
}

type Complain = (member: string, expected: string) => void;

function readName({ name }: Members, complain: Complain): string {
  if (typeof name !== 'string') {
    complain('name', 'be text (quote it when it looks like a number)');
    return '';
  }
  const fault = findNameFault(name);
  if (fault !== null) complain('name', fault);
  return name;
}

function readVersion({ version }: Members, complain: Complain): string {
  if (typeof version !== 'string') {
    complain('version', 'be text (quote it: 1.10 without quotes is the number 1.1)');
    return '';
  }
  if (
    version === '' ||
    version.length > MAX_VERSION_LENGTH ||
    !/^[\x21-\x7e]+$/.test(version) ||
    /[/\\]/.test(version)
  ) {
    complain('version', `have 1 to ${MAX_VERSION_LENGTH} visible ASCII characters, none of them a slash`);
  }
  return version;
}

/** Of each member that is there: whether it is right. `prefix` stands before their names in what is complained. */
class MemberCheck {
  readonly #members: Members;
  readonly #complain: Complain;
  readonly #prefix: string;

  constructor(members: Members, complain: Complain, prefix = '') {
    this.#members = members;
    this.#complain = complain;
    this.#prefix = prefix;
  }

  expect(names: readonly string[], isRight: (value: unknown) => boolean, expected: string): void {
    for (const name of names) {
      const value = this.#members[name];
      if (value != null && !isRight(value)) this.#complain(this.#prefix + name, expected);
    }
  }

  demand(name: string, isRight: (value: unknown) => boolean, expected: string): void {
    if (!isRight(this.#members[name])) this.#complain(this.#prefix + name, expected);
  }
}

function checkMembers(template: Members, complain: Complain): void {
  const members = new MemberCheck(template, complain);
  members.expect(TEXTS, isString, 'be text');
  members.expect(LISTS, isTexts, 'be a list of texts');
  members.expect(ADDRESSES, isAddress, 'be an absolute http or https URL without credentials');
  members.expect(TIMES, isTime, 'be a time as in RFC 3339, such as 2026-01-31T12:00:00Z');
  members.expect(FLAGS, isFlag, 'be true or false');
  members.expect(['complexity'], isOneOf(COMPLEXITIES), `be one of ${COMPLEXITIES.join(', ')}`);
  members.expect(['estimated_launch_time'], isMinutes, 'be a number of minutes');
  members.expect(['packages'], isPackages, 'be a map of lists of texts, one for each package manager');
}

function checkDependencies({ dependencies }: Members, complain: Complain): void {
  if (dependencies == null) return;
  if (!Array.isArray(dependencies)) {
    complain('dependencies', 'be a list');
    return;
  }
  dependencies.forEach((entry: unknown, index) => {
    const at = `dependencies[${index}]`;
    if (!isMembers(entry)) {
      complain(at, 'be a map');
      return;
    }
    const members = new MemberCheck(entry, complain, `${at}.`);
    members.demand('name', (value) => isString(value) && value !== '', 'be text, not empty');
    members.expect(['version'], isString, 'be text (quote it)');
    members.expect(['optional'], isFlag, 'be true or false');
    members.expect(['type'], isOneOf(DEPENDENCY_TYPES), `be one of ${DEPENDENCY_TYPES.join(', ')}`);
  });
}

function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isString(value: unknown): boolean {
  return typeof value === 'string';
}

function isFlag(value: unknown): boolean {
  return typeof value === 'boolean';
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every(isString);
}

function isPackages(value: unknown): boolean {
  return isMembers(value) && Object.values(value).every(isTexts);
}

function isOneOf(choices: readonly string[]): (value: unknown) => boolean {
  return (value) => typeof value === 'string' && choices.includes(value.toLowerCase());
}

function isMinutes(value: unknown): boolean {
  return typeof value === 'number' && value >= 0 && value <= 100_000;
}

function isTime(value: unknown): boolean {
  return typeof value === 'string' && TIME.test(value) && !Number.isNaN(Date.parse(value));
}

function isAddress(value: unknown): boolean {
  if (typeof value !== 'string') return false;
  const url = URL.parse(value);
  return (url?.protocol === 'https:' || url?.protocol === 'http:') && url.username === '' && url.password === '';
}

/** JSON and YAML both have it as a key like any other; whoever copies members by their keys does not. */
function hasForeignKey(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(hasForeignKey);
  if (!isMembers(value)) return false;
  return Object.keys(value).some((key) => key === '__proto__' || hasForeignKey(value[key]));
}
