import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

/** Of the resolvers, what belongs to no single file of the schema. */
const SHARED = ['arguments', 'context', 'index', 'node-id'];

function listStems(folder: string, extension: string): string[] {
  return readdirSync(new URL(`../../${folder}/`, import.meta.url))
    .filter((name) => name.endsWith(extension))
    .map((name) => name.slice(0, -extension.length));
}

describe('the folders', () => {
  it('have one file of resolvers for each file of the schema, with the same name', () => {
    const schemas = listStems('schema', '.graphql');
    expect(schemas.length).toBeGreaterThan(0);
    expect(
      listStems('resolvers', '.ts')
        .filter((stem) => !SHARED.includes(stem))
        .toSorted(),
    ).toEqual(schemas.toSorted());
  });
});
