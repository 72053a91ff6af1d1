import type { SemVer } from 'semver';
// Function by function: the rest of it, ranges above all, would be read at each start.
import parseVersion from 'semver/functions/parse.js';
import compareBackwards from 'semver/functions/rcompare.js';
import type { TemplateVersion } from '../domain/template.ts';

/**
 * Newest first: releases by semver precedence, then pre-releases by the same, then what is no semantic version by its date
 * (undated last). Withdrawn versions are left out: they cannot be had any more.
 */
export function sortVersions(versions: readonly TemplateVersion[]): readonly TemplateVersion[] {
  return versions
    .filter((version) => version.withdrawnAtMs === null)
    .map((version) => ({ version, parsed: parseVersion(version.version.slice(0, MAX_VERSION_LENGTH)) }))
    .sort((left, right) => {
      const group = groupOf(left.parsed) - groupOf(right.parsed);
      if (group !== 0) return group;
      if (left.parsed !== null && right.parsed !== null) return compareBackwards(left.parsed, right.parsed);
      return (right.version.publishedAtMs ?? -Infinity) - (left.version.publishedAtMs ?? -Infinity) || 0;
    })
    .map(({ version }) => version);
}

/** As semver's own limit. */
const MAX_VERSION_LENGTH = 256;

function groupOf(parsed: SemVer | null): number {
  if (parsed === null) return 2;
  return parsed.prerelease.length > 0 ? 1 : 0;
}
