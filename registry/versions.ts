import type { SemVer } from 'semver';
import parseVersion from 'semver/functions/parse.js';
import { compareCodePoints } from './code-points.ts';

/** What ordering needs of a version. */
interface Dated {
  readonly version: string;
  readonly publishedAt: string | null;
}

/**
 * Newest first: releases by semantic precedence, then pre-releases by theirs, then versions that are not semantic, by
 * date and at last by text, so that the order is total.
 */
export function compareVersions(left: Dated, right: Dated): number {
  const leftVersion = parseVersion(left.version, { loose: true });
  const rightVersion = parseVersion(right.version, { loose: true });
  const byKind = rankKind(leftVersion) - rankKind(rightVersion);
  if (byKind !== 0) return byKind;
  if (leftVersion !== null && rightVersion !== null) {
    const byPrecedence = rightVersion.compare(leftVersion);
    if (byPrecedence !== 0) return byPrecedence;
  }
  const byDate = toMs(right.publishedAt) - toMs(left.publishedAt);
  return byDate === 0 ? compareCodePoints(right.version, left.version) : byDate;
}

function rankKind(version: SemVer | null): number {
  if (version === null) return 2;
  return version.prerelease.length > 0 ? 1 : 0;
}

function toMs(time: string | null): number {
  return time === null ? 0 : Date.parse(time);
}
