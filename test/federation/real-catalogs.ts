/** The real catalogues beside the project, where they are. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { isMembers } from '../../registry/member-reader.ts';
import type { Entry } from './known-item.ts';

export const CATALOGS_FOLDER = fileURLToPath(new URL('../../../shared/data/catalogs/', import.meta.url));

export const CATALOGS_PRESENT = existsSync(CATALOGS_FOLDER);

const asText = (value: unknown): string | null => (typeof value === 'string' ? value : null);
const asList = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((entry): entry is string => typeof entry === 'string') : [];

let catalogs: readonly Entry[][] | null = null;

/** Every catalogue, the largest first. Ids run over all of them. Read once. */
export function readCatalogs(): readonly Entry[][] {
  catalogs ??= readFiles();
  return catalogs;
}

function readFiles(): Entry[][] {
  let id = 0;
  const read = readdirSync(CATALOGS_FOLDER)
    .filter((file) => file.endsWith('.jsonl.gz'))
    .sort()
    .map((file) =>
      gunzipSync(readFileSync(`${CATALOGS_FOLDER}${file}`))
        .toString('utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line): Entry => {
          const parsed: unknown = JSON.parse(line);
          const row = isMembers(parsed) ? parsed : {};
          id += 1;
          const name = String(row.name);
          return {
            id,
            name,
            title: name,
            description: asText(row.description),
            keywords: asList(row.keywords),
            tags: asList(row.tags),
            category: asText(row.category),
            domain: asText(row.domain),
          };
        }),
    );
  return read.sort((a, b) => b.length - a.length);
}
