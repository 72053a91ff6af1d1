import { describe, expect, it } from 'vitest';
import type { CountAccuracy } from '../../src/domain/search.ts';
import { countMatches, type StreamCount } from '../../src/federation/counts.ts';

const FRESH: StreamCount = {
  namespace: 'marketplace',
  isLost: false,
  isStale: false,
  wholeNames: null,
  totalCount: 10,
  miscounts: false,
  isFilteredHere: false,
};
const counting = (totalCount: number, members: Partial<StreamCount> = {}): StreamCount => ({
  ...FRESH,
  totalCount,
  ...members,
});
const whole = (...names: string[]): StreamCount => ({ ...FRESH, totalCount: names.length, wholeNames: new Set(names) });
const LOST: StreamCount = { ...FRESH, isLost: true, totalCount: null };
const SILENT: StreamCount = { ...FRESH, totalCount: null };

type Case = readonly [
  promise: string,
  streams: readonly StreamCount[],
  collapse: boolean,
  count: number | null,
  accuracy: CountAccuracy,
];

const CASES: readonly Case[] = [
  ['all answered fresh and count, nothing is collapsed', [counting(3), counting(4)], false, 7, 'EXACT'],
  ['one registry alone, collapsed with nobody', [counting(3)], true, 3, 'EXACT'],
  [
    'collapse, but every registry has a namespace of its own',
    [counting(3), counting(4, { namespace: 'other' })],
    true,
    7,
    'EXACT',
  ],
  ['every list was read to its end', [whole('a', 'b'), whole('b', 'c')], false, 4, 'EXACT'],
  ['every list was read to its end, collapsed', [whole('a', 'b'), whole('b', 'c')], true, 3, 'EXACT'],
  [
    'read to the end, whatever the registry says',
    [{ ...whole('a', 'b'), totalCount: 99, miscounts: true }],
    false,
    2,
    'EXACT',
  ],
  ['read to the end though filtered here', [{ ...whole('a'), isFilteredHere: true }], false, 1, 'EXACT'],
  [
    'read to the end, the count of other namespaces apart',
    [whole('a'), { ...whole('a'), namespace: 'other' }],
    true,
    2,
    'EXACT',
  ],
  ['no registry is asked', [], false, 0, 'EXACT'],
  ['collapse may lower it', [counting(3), counting(4)], true, 7, 'AT_MOST'],
  ['filters here may lower it', [counting(3), counting(4, { isFilteredHere: true })], false, 7, 'AT_MOST'],
  [
    'one list was read, the other is filtered here',
    [whole('a'), counting(4, { isFilteredHere: true })],
    false,
    5,
    'AT_MOST',
  ],
  ['a registry is missing', [counting(3), LOST], false, 3, 'AT_LEAST'],
  ['a registry is missing, the other was read whole', [whole('a', 'b'), LOST], false, 2, 'AT_LEAST'],
  ['a registry does not count', [counting(3), SILENT], false, 3, 'AT_LEAST'],
  ['a registry is missing, and its answer could not collapse with one', [counting(3), LOST], true, 3, 'AT_LEAST'],
  ['a registry is missing, and two others may collapse', [counting(3), counting(4), LOST], true, 7, 'ESTIMATE'],
  [
    'a registry is missing, and filters here may lower the rest',
    [counting(3, { isFilteredHere: true }), LOST],
    false,
    3,
    'ESTIMATE',
  ],
  ['a registry answered from an old cache', [counting(3, { isStale: true }), counting(4)], false, 7, 'ESTIMATE'],
  ['a list was read to its end, from an old cache', [{ ...whole('a'), isStale: true }], false, 1, 'ESTIMATE'],
  ['a registry was seen to miscount', [counting(3, { miscounts: true })], false, 3, 'ESTIMATE'],
  ['nobody counts', [SILENT, SILENT], false, null, 'UNKNOWN'],
  ['nobody answers', [LOST, LOST], false, null, 'UNKNOWN'],
  ['who answers does not count, who counts does not answer', [SILENT, LOST], true, null, 'UNKNOWN'],
];

describe('the number of matches', () => {
  it.each(CASES)('%s', (_promise, streams, collapse, totalCount, accuracy) => {
    expect(countMatches(streams, collapse)).toEqual({ totalCount, accuracy });
    expect(countMatches([...streams].reverse(), collapse)).toEqual({ totalCount, accuracy });
  });
});
