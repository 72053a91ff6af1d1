import { describe, expect, it } from 'vitest';
import { RegistryFailure } from '../../src/domain/errors.ts';
import type { Answer, CallOptions, RowPage, RowRequest } from '../../src/domain/registry.ts';
import { QuestionHabits } from '../../src/federation/question-habits.ts';
import { CatalogSource } from '../helpers/catalog-source.ts';
import { ANYONE, federate, generateRows, namesOf, requestOf } from '../helpers/walks.ts';

const asked = (questions: Readonly<Record<string, readonly string[]>>) =>
  new Map(Object.entries(questions).map(([registry, names]) => [registry, new Set(names)]));
const NOTHING = asked({});

describe('the questions that pages come to', () => {
  it('are expected once a fifth of the pages needs them, by registry and in order', () => {
    const habits = new QuestionHabits();
    for (let page = 0; page < 60; page += 1) {
      habits.note(
        asked({
          one: ['b', 'a'],
          ...(page % 3 === 0 ? { two: ['c'] } : {}),
          ...(page % 20 === 0 ? { three: ['d'] } : {}),
        }),
      );
    }
    expect(['one', 'two', 'three', 'four'].map((name) => habits.expectedOf(name))).toEqual([['a', 'b'], ['c'], [], []]);
  });

  it('are expected no more when pages cease to need them', () => {
    const habits = new QuestionHabits();
    for (let page = 0; page < 20; page += 1) habits.note(asked({ one: ['a'] }));
    expect(habits.expectedOf('one')).toEqual(['a']);
    for (let page = 0; page < 20; page += 1) habits.note(NOTHING);
    expect(habits.expectedOf('one')).toEqual(['a']);
    for (let page = 0; page < 20; page += 1) habits.note(NOTHING);
    expect(habits.expectedOf('one')).toEqual([]);
  });

  it('are remembered where they are needed most, however many others come once', () => {
    const habits = new QuestionHabits();
    for (let page = 0; page < 300; page += 1) {
      const often = page % 2 === 0 ? ['often'] : [];
      habits.note(asked({ one: [...often, `once-${page}`, `once-more-${page}`] }));
    }
    expect(habits.expectedOf('one')).toEqual(['often']);
  });
});

/** Tells of calls as they begin, and answers none before it is let. */
class HeldSource extends CatalogSource {
  readonly begun: { readonly isQuestion: boolean; readonly isBackground: boolean }[] = [];
  failsQuestions = false;
  /** Questions are answered out of what was kept, since the registry has failed. */
  hasOldAnswers = false;
  #held: Promise<void> = Promise.resolve();
  #release = () => {};

  hold(): void {
    this.#held = new Promise((resolve) => {
      this.#release = resolve;
    });
  }

  release(): void {
    this.#release();
  }

  override async searchRows(request: RowRequest, options: CallOptions): Promise<Answer<RowPage>> {
    const isQuestion = request.names !== undefined;
    if (options.purpose === undefined) this.begun.push({ isQuestion, isBackground: options.background ?? false });
    await this.#held;
    if (isQuestion && this.failsQuestions) throw new RegistryFailure('SERVER', this.info.name);
    const answer = await super.searchRows(request, options);
    if (!isQuestion || !this.hasOldAnswers) return answer;
    return { ...answer, cache: 'STALE', staleBecause: new RegistryFailure('SERVER', this.info.name) };
  }
}

const SHARED = generateRows(1, 3, { prefix: 'shared' });
const PAGE = { direction: 'FORWARD', count: 20, cursor: null } as const;
const QUESTION_AHEAD = { isQuestion: true, isBackground: true };

/** What comes first in the second registry is also, far behind, in the first one. */
function federateSharing(keepsAnswers = false) {
  const makeSource = (rank: number, ofOwn: number, ofShared: number) =>
    new HeldSource({
      name: ['first', 'second'][rank] ?? '',
      rank,
      keepsAnswers,
      rows: [
        ...SHARED.map((row) => ({ ...row, downloads: ofShared })),
        ...generateRows(rank + 2, 200).map((row, index) => ({ ...row, downloads: ofOwn - index })),
      ],
    });
  const first = makeSource(0, 1_000, 1);
  const second = makeSource(1, 1_000, 1_000_000);
  const federation = federate([first, second]);
  const search = (query: string) =>
    federation.viewFor(ANYONE).search(requestOf({ field: 'POPULARITY', collapse: true, query }, PAGE));
  /** Pages of different searches that all match everything. */
  const searchOften = async (times: number, words: number) => {
    for (let page = 0; page < times; page += 1) await search('row '.repeat(words + page));
  };
  return { first, second, federation, search, searchOften };
}

const showsShared = (names: readonly string[]) =>
  names.some((name) => SHARED.some((row) => name.endsWith(`/${row.name}`)));

describe('a question that pages come to again and again', () => {
  it('goes out with the windows, from spare budget, and the page waits for nothing more', async () => {
    const { first, second, search, searchOften } = federateSharing();
    await searchOften(10, 1);
    first.begun.length = 0;
    first.hold();
    second.hold();
    const page = search('row generated');
    await new Promise((resolve) => setImmediate(resolve));
    expect(first.begun).toEqual([QUESTION_AHEAD, { isQuestion: false, isBackground: false }]);
    second.release();
    first.release();
    expect(showsShared(namesOf(await page))).toBe(false);
    expect(first.begun.length).toBe(2);
  });

  it('is asked only by the page that needs it, before that', async () => {
    const { first, search } = federateSharing();
    expect(showsShared(namesOf(await search('row')))).toBe(false);
    expect(first.begun.filter(({ isQuestion }) => isQuestion)).toEqual([{ isQuestion: true, isBackground: false }]);
  });

  it('is asked no more when the names are gone from the pages', async () => {
    const { first, second, searchOften } = federateSharing();
    await searchOften(10, 1);
    second.catalog.remove(...SHARED.map(({ name }) => name));
    await searchOften(60, 20);
    first.begun.length = 0;
    await searchOften(1, 90);
    expect(first.begun).toEqual([{ isQuestion: false, isBackground: false }]);
  });

  it('costs the page nothing but its answer where it fails: the entry is shown', async () => {
    const { first, searchOften, search } = federateSharing();
    await searchOften(10, 1);
    first.failsQuestions = true;
    const names = namesOf(await search('row generated'));
    expect(names.slice(0, 3).map((name) => name.split('/')[0])).toEqual(['second', 'second', 'second']);
    expect(showsShared(names)).toBe(true);
  });

  it('is part of the report where its answer was needed, and not where it was not', async () => {
    const { first, second, searchOften, search } = federateSharing();
    await searchOften(10, 1);
    first.hasOldAnswers = true;
    expect((await search('row generated')).reports.map(({ outcome }) => outcome)).toEqual(['STALE', 'OK']);
    second.catalog.remove(...SHARED.map(({ name }) => name));
    first.begun.length = 0;
    expect((await search('row row generated')).reports.map(({ outcome }) => outcome)).toEqual(['OK', 'OK']);
    expect(first.begun).toContainEqual(QUESTION_AHEAD);
  });

  it('is not asked again by pages whose windows and answers are there', async () => {
    const { first, searchOften, federation } = federateSharing(true);
    // What is known of names when a page is made first says what it asks about; the second time that is settled.
    await searchOften(12, 1);
    await federation.close();
    await searchOften(12, 1);
    first.asked.length = 0;
    await searchOften(12, 1);
    expect(first.asked).toEqual([]);
  });

  it('is asked by other pages of the same registries alone', async () => {
    const { first, searchOften, federation } = federateSharing();
    await searchOften(10, 1);
    first.begun.length = 0;
    const only = requestOf({ field: 'POPULARITY', collapse: true, filter: { registries: ['first'] } }, PAGE);
    await federation.viewFor(ANYONE).search(only);
    expect(first.begun.some(({ isQuestion }) => isQuestion)).toBe(false);
  });
});
