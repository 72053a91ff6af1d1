import { describe, expect, it } from 'vitest';
import { NO_CRITERIA } from '../../src/domain/search.ts';
import { RegistryTraits } from '../../src/federation/traits.ts';
import { fixtureTemplate } from '../server/fixture-view.ts';

const ML = { query: '', criteria: { ...NO_CRITERIA, categories: ['ml'] } };
const BIO = { query: '', criteria: { ...NO_CRITERIA, categories: ['bio'] } };
const FACETS = { read: () => new Map([['category', [{ value: 'ml', count: 1 }]]]) };

describe('facets that are remembered of a list', () => {
  function remember() {
    const traits = new RegistryTraits();
    for (const list of [ML, BIO]) traits.noteFacets(list, FACETS, Date.now());
    return traits;
  }

  it('are forgotten when a template comes that the list may hold, and no others', () => {
    const traits = remember();
    traits.noteChange({ template: 't', before: 'ABSENT', after: fixtureTemplate({ name: 't', category: 'bio' }) });
    expect([traits.facetsOf(ML), traits.facetsOf(BIO)]).toEqual([FACETS, null]);
  });

  it('are all forgotten when it is not known what has changed', () => {
    const traits = remember();
    traits.noteChange({ template: 't' });
    expect([traits.facetsOf(ML), traits.facetsOf(BIO)]).toEqual([null, null]);
  });

  it('do not come back with an answer from before the change', () => {
    const traits = remember();
    const askedMs = Date.now() - 1;
    traits.noteChange({});
    traits.noteFacets(ML, FACETS, askedMs);
    expect(traits.facetsOf(ML)).toBeNull();
    traits.noteFacets(ML, FACETS, Date.now());
    expect(traits.facetsOf(ML)).toEqual(FACETS);
  });
});
