import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TemplateVersion } from '../../src/domain/template.ts';
import { sortVersions } from '../../src/federation/versions.ts';

function version(text: string, members: Partial<TemplateVersion> = {}): TemplateVersion {
  return { version: text, publishedAtMs: null, deprecated: false, withdrawnAtMs: null, digest: null, ...members };
}

const textsOf = (versions: readonly TemplateVersion[]) => versions.map((each) => each.version);

describe('the versions of a template', () => {
  it('come newest first: releases by precedence, then pre-releases, then what is no semantic version by its date', () => {
    const sorted = ['10.0.0', '9.10.0', '9.9.0', '1.0.0', '11.0.0-rc.2', '11.0.0-rc.1', '2024b', '2024a', 'latest'];
    const dates: Readonly<Record<string, number>> = { '2024b': 2, '2024a': 1 };
    const given = [...sorted].sort().map((text) => version(text, { publishedAtMs: dates[text] ?? null }));
    expect(textsOf(sortVersions(given))).toEqual(sorted);
  });

  it('go by precedence, not by date', () => {
    const given = [version('1.9.0', { publishedAtMs: 9 }), version('2.0.0', { publishedAtMs: 1 })];
    expect(textsOf(sortVersions(given))).toEqual(['2.0.0', '1.9.0']);
  });

  it('leave out what was withdrawn and keep what is deprecated', () => {
    const given = [version('2.0.0', { withdrawnAtMs: 1 }), version('1.0.0', { deprecated: true })];
    expect(textsOf(sortVersions(given))).toEqual(['1.0.0']);
  });

  it('are the same whatever order the registry lists them in, and never fail on an odd one', () => {
    const odd = fc.constantFrom('1.0.0', 'v2.0.0', '1.0.0+build', '', '1', '9'.repeat(400), '1.0.0-', '😀', '0.0.0-0');
    const dated = fc.uniqueArray(fc.tuple(odd, fc.integer({ min: 1 })), { selector: ([text]) => text });
    fc.assert(
      fc.property(dated, (pairs) => {
        const given = pairs.map(([text, publishedAtMs]) => version(text, { publishedAtMs }));
        const sorted = textsOf(sortVersions(given));
        expect([...sorted].sort()).toEqual(textsOf(given).sort());
        const equal = new Set(['1.0.0', '1.0.0+build']);
        const told = (texts: readonly string[]) => texts.map((text) => (equal.has(text) ? '1.0.0' : text));
        if (new Set(pairs.map(([, at]) => at)).size === pairs.length) {
          expect(told(textsOf(sortVersions([...given].reverse())))).toEqual(told(sorted));
        }
      }),
      { seed: 20_263 },
    );
  });
});
