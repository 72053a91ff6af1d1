import { describe, expect, it } from 'vitest';
import { compileClaims } from '../../src/federation/claims.ts';
import { CatalogSource } from '../helpers/catalog-source.ts';

function claim(claims: Readonly<Record<string, readonly string[]>>) {
  const infos = Object.entries(claims).map(
    ([name, globs], rank) => new CatalogSource({ name, rank, rows: [], info: { claims: globs } }).info,
  );
  return compileClaims(infos);
}

describe('a claim', () => {
  it('keeps names from every registry but the one that claims them', () => {
    const isClaimedElsewhere = claim({ uni: ['uni/*'], rogue: [] });
    expect(isClaimedElsewhere?.('uni/course', 'rogue')).toBe(true);
    expect(isClaimedElsewhere?.('uni/a/b', 'rogue')).toBe(true);
    expect(isClaimedElsewhere?.('uni/', 'rogue')).toBe(true);
    expect(isClaimedElsewhere?.('uni/course', 'uni')).toBe(false);
    expect(isClaimedElsewhere?.('university/course', 'rogue')).toBe(false);
    expect(isClaimedElsewhere?.('x/uni/course', 'rogue')).toBe(false);
  });

  it.each([
    ['in capitals', 'UNI/Course'],
    ['percent-encoded', 'uni%2Fcourse'],
    ['encoded twice', 'uni%252fcourse'],
    ['with one letter encoded', '%75ni/course'],
    ['in full-width letters', 'ｕｎｉ／course'],
    ['with a full-width percent sign', 'uni％2Fcourse'],
    ['in mathematical letters', '𝐮𝐧𝐢/course'],
    ['with a small roman numeral', 'unⅰ/course'],
  ])('holds for a name that is written otherwise: %s', (_how, name) => {
    expect(claim({ uni: ['uni/*'], rogue: [] })?.(name, 'rogue')).toBe(true);
  });

  it('of one registry does not free the names of another', () => {
    const isClaimedElsewhere = claim({ uni: ['uni/*'], lab: ['lab/*'] });
    expect(isClaimedElsewhere?.('uni/x', 'lab')).toBe(true);
    expect(isClaimedElsewhere?.('lab/x', 'uni')).toBe(true);
    expect(isClaimedElsewhere?.('free', 'uni')).toBe(false);
  });

  it('that nobody makes costs nothing', () => {
    expect(claim({ one: [], two: [] })).toBeNull();
  });
});
