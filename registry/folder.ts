/**
 * A folder of template files. Layout, and what each file may hold: README.md beside this file.
 */
import { hash, randomUUID } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { PublishedVersion, type TemplateDocument } from './catalog.ts';
import { DOCUMENT_BYTES, readDocument } from './document.ts';
import { isMembers, type Members } from './member-reader.ts';
import { readTemplate, type Standing } from './template.ts';
import { writeYaml } from './write-yaml.ts';

/** Where published documents are kept: what they claim of their own standing is not believed. */
const PUBLISHED = 'published';
/** File systems allow 255 bytes; longer names are cut, and a digest keeps them apart. */
const FILE_NAME_LENGTH = 200;
/** Members of `marketplace` that an author states; the rest is the registry's word and no part of the document. */
const AUTHORED = ['dependencies'];

/** A file, or a version in it, that could not be used. */
export interface FolderFault {
  /** Relative to the folder. */
  readonly file: string;
  readonly message: string;
}

export interface FolderReading {
  readonly versions: readonly PublishedVersion[];
  readonly faults: readonly FolderFault[];
}

/**
 * Reads every .yaml, .yml and .json file below the folder. A file that cannot be used is a fault in the answer and costs
 * no other; a folder that cannot be listed rejects.
 */
export async function readFolder(folder: string): Promise<FolderReading> {
  const names = await readdir(folder, { recursive: true });
  const files = names.filter((name) => /\.(?:ya?ml|json)$/.test(name) && !/(?:^|\/)\./.test(name)).sort();
  const readings = await Promise.all(files.map((file) => readTemplateFile(folder, file)));
  const versions: PublishedVersion[] = [];
  const faults: FolderFault[] = [];
  const seen = new Map<string, string>();
  for (const [index, reading] of readings.entries()) {
    const file = files[index] ?? '';
    faults.push(...reading.faults);
    for (const version of reading.versions) {
      const key = JSON.stringify([version.template.name, version.template.version]);
      const other = seen.get(key);
      if (other === undefined) {
        seen.set(key, file);
        versions.push(version);
      } else {
        faults.push({ file, message: `${version.template.name} ${version.template.version} is already in ${other}` });
      }
    }
  }
  return { versions, faults };
}

async function readTemplateFile(folder: string, file: string): Promise<FolderReading> {
  const path = join(folder, file);
  const { size, mtime } = await stat(path);
  if (size > DOCUMENT_BYTES) {
    return failWith(file, [`a file must have at most ${DOCUMENT_BYTES} bytes; this one has ${size}`]);
  }
  const bytes = await readFile(path);
  const kind = file.endsWith('.json') ? 'json' : 'yaml';
  const reading = readDocument(bytes, kind);
  if (!reading.ok) return failWith(file, [reading.fault]);
  const standing = file.startsWith(`${PUBLISHED}/`) ? { publishedAt: mtime.toISOString() } : null;
  return readVersions(file, reading.value, { bytes, mediaType: `application/${kind}` }, standing);
}

function readVersions(
  file: string,
  value: unknown,
  document: TemplateDocument,
  standing: Standing | null,
): FolderReading {
  // A published document is one version, whatever it lists.
  if (!isMembers(value) || value.versions === undefined || standing !== null) {
    return readVersion(file, value, () => document, standing);
  }
  const { versions: listed, ...shared } = value;
  if (!Array.isArray(listed) || !listed.every(isMembers)) {
    return failWith(file, ['"versions" must be a list of objects, each with the members that differ in that version']);
  }
  const readings = listed.map((own) => {
    const merged = mergeVersion(shared, own);
    return readVersion(file, merged, () => writeDocument(merged), standing);
  });
  return { versions: readings.flatMap((one) => one.versions), faults: readings.flatMap((one) => one.faults) };
}

function readVersion(
  file: string,
  value: unknown,
  document: () => TemplateDocument,
  standing: Standing | null,
): FolderReading {
  const reading = readTemplate(value, standing);
  if (!reading.ok) return failWith(file, reading.faults);
  return { versions: [new PublishedVersion(reading.template, document)], faults: [] };
}

/** What a version says itself comes before what all share; in `marketplace` member by member. */
function mergeVersion(shared: Members, own: Members): Members {
  const marketplace =
    isMembers(shared.marketplace) && isMembers(own.marketplace)
      ? { marketplace: { ...shared.marketplace, ...own.marketplace } }
      : {};
  return { ...shared, ...own, ...marketplace };
}

function writeDocument(members: Members): TemplateDocument {
  const { marketplace, ...authored } = members;
  const kept = Object.entries(isMembers(marketplace) ? marketplace : {}).filter(([name]) => AUTHORED.includes(name));
  const whole = kept.length === 0 ? authored : { ...authored, marketplace: Object.fromEntries(kept) };
  return { bytes: Buffer.from(writeYaml(whole)), mediaType: 'application/yaml' };
}

function failWith(file: string, messages: readonly string[]): FolderReading {
  return { versions: [], faults: messages.map((message) => ({ file, message })) };
}

/**
 * Keeps a published document: written beside its place, flushed, then renamed, so that no reader and no crash meets half
 * a file. Gives the time the file says it was written, which is what a later start reads.
 */
export async function writePublished(
  folder: string,
  name: string,
  version: string,
  document: TemplateDocument,
): Promise<Standing> {
  const directory = join(folder, PUBLISHED);
  await mkdir(directory, { recursive: true });
  const extension = document.mediaType === 'application/json' ? 'json' : 'yaml';
  const path = join(directory, `${encodeFileName(name, version)}.${extension}`);
  const temporary = join(directory, `.${randomUUID()}.partial`);
  try {
    const file = await open(temporary, 'wx');
    try {
      await file.writeFile(document.bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } finally {
    await rm(temporary, { force: true });
  }
  const { mtime } = await stat(path);
  return { publishedAt: mtime.toISOString() };
}

/**
 * A file name for any name and version: a slash is written %2F, so that nothing in them is a path, and a leading dot %2E,
 * because files that begin with one are not read.
 */
function encodeFileName(name: string, version: string): string {
  const encoded = `${encodeURIComponent(name).replace(/^\./, '%2E')}@${encodeURIComponent(version)}`;
  if (encoded.length <= FILE_NAME_LENGTH) return encoded;
  return `${encoded.slice(0, FILE_NAME_LENGTH - 65)}-${hash('sha256', `${name}\n${version}`)}`;
}
