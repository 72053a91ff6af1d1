import { describe, expect, it } from 'vitest';
import { compileCriteria } from '../../src/domain/criteria.ts';
import { NO_CRITERIA, type TemplateCriteria } from '../../src/domain/search.ts';
import { readTemplate, type WireMembers } from '../helpers/wire-rows.ts';

function passes(criteria: Partial<TemplateCriteria>, template: WireMembers): boolean {
  return compileCriteria({ ...NO_CRITERIA, ...criteria })?.(readTemplate(template)) ?? true;
}

const DAY = Date.UTC(2025, 0, 1);
const passed = { name: 'p', status: 'passed' };
const failed = { name: 'f', status: 'failed' };

type Case = readonly [criteria: Partial<TemplateCriteria>, match: WireMembers, other: WireMembers];

const CASES: readonly Case[] = [
  [{ categories: ['ml', 'bio'] }, { category: 'bio' }, { category: 'climate' }],
  [{ categories: ['ML'] }, { category: 'ml' }, {}],
  [{ domains: ['physics'] }, { domain: 'Physics' }, { category: 'physics' }],
  [{ complexity: ['SIMPLE'] }, { complexity: 'simple' }, { complexity: 'complex' }],
  [{ keywords: ['gpu'] }, { keywords: ['GPU'] }, { description: 'gpu' }],
  [{ keywords: ['gpu'] }, { tags: ['gpu'] }, { tags: ['gpus'] }],
  [{ minRating: 4 }, { rating: 4 }, { rating: 3.9 }],
  [{ minRating: 0 }, { rating: 0 }, {}],
  [{ verified: true }, { verified: true }, {}],
  [{ verified: false }, {}, { marketplace: { verified: true } }],
  [{ validated: true }, { validation_tests: [passed, passed] }, { validation_tests: [passed, failed] }],
  [{ validated: true }, { marketplace: { validation_tests: [passed] } }, { validation_tests: [] }],
  [{ validated: false }, {}, { validation_tests: [passed] }],
  [{ researchUser: true }, { research_user: true }, {}],
  [{ researchUser: false }, { research_user: false }, { research_user: true }],
  [{ connectionTypes: ['ssh', 'web'] }, { connection_types: ['web'] }, { connection_types: ['rdp'] }],
  [{ packageManagers: ['conda'] }, { package_manager: 'conda' }, { package_manager: 'spack' }],
  [{ packageManagers: ['conda'] }, { package_manager: 'pip', packages: { conda: ['numpy'] } }, { packages: {} }],
  [{ licenses: ['mit'] }, { license: 'MIT' }, { license: 'MIT-0' }],
  [{ licenses: ['Apache-2.0'] }, { license: '(MIT OR Apache-2.0)' }, { license: 'GPL-3.0 AND MIT' }],
  [{ updatedSinceMs: DAY }, { updated_at: '2025-01-01T00:00:00Z' }, { updated_at: '2024-12-31T23:59:59Z' }],
  [{ updatedSinceMs: DAY }, { updated_at: '2026-01-01T00:00:00Z' }, {}],
  [
    { categories: ['ml'], minRating: 4 },
    { category: 'ml', rating: 5 },
    { category: 'ml', rating: 1 },
  ],
  [{ categories: ['ml'] }, { category: 'ml' }, { category: null }],
];

describe('a filter', () => {
  it.each(CASES)('%j lets %j pass and not %j', (criteria, match, other) => {
    expect(passes(criteria, match)).toBe(true);
    expect(passes(criteria, other)).toBe(false);
  });

  it('that wants nothing is none, so that nothing need be looked at', () => {
    expect(compileCriteria(NO_CRITERIA)).toBeNull();
  });

  it('that is an empty list lets nothing pass', () => {
    expect(passes({ categories: [] }, { category: 'ml' })).toBe(false);
  });
});
