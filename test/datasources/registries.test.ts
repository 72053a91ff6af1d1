import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { openRegistries } from '../../datasources/registries.ts';
import { REGISTRY_KINDS } from '../../src/config/config.ts';
import { configureRegistry } from '../helpers/faulty-registry-config.ts';

const FOLDER = new URL('../../datasources/', import.meta.url);

describe('the kinds of registry', () => {
  it('are the folders of datasources, each with the same files', () => {
    const folders = readdirSync(FOLDER, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && !['http', 'health'].includes(entry.name))
      .map((entry) => entry.name);
    expect(folders.toSorted()).toEqual([...REGISTRY_KINDS].toSorted());
    for (const folder of folders) {
      expect(readdirSync(new URL(`${folder}/`, FOLDER)).toSorted()).toEqual([
        'README.md',
        'index.ts',
        'template.ts',
        'wire.ts',
      ]);
    }
  });

  it('keep the order of the configuration', async () => {
    const configs = ['b', 'a'].map((name) => configureRegistry('http://127.0.0.1:9', { name }));
    const opened = openRegistries(configs);
    expect(opened.sources.map(({ info }) => [info.name, info.writable])).toEqual([
      ['b', true],
      ['a', true],
    ]);
    await opened.whenTriedOnce();
    await opened.close();
  });
});
