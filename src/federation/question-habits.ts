/**
 * About which names collapse has had to ask of late. A name that several registries carry and that is among the first of many
 * searches is asked about again and again: known beforehand, that question goes out together with the windows, and no page has
 * to wait for it.
 */
import { RecentShare, SOBER } from './recent-share.ts';

/** Names that are remembered: those that pages need most. */
const MAX_NAMES = 32;

interface Question {
  readonly registryName: string;
  readonly name: string;
  /** Of the pages that needed its answer. */
  readonly share: RecentShare;
}

/** The questions that first pages over one set of registries have come to. */
export class QuestionHabits {
  readonly #questions: Question[] = [];
  #expected: ReadonlyMap<string, readonly string[]> = new Map();

  /** Takes note of a page: by registry the names which it had to be asked about. */
  note(asked: ReadonlyMap<string, ReadonlySet<string>>): void {
    let isChanged = false;
    for (const { registryName, name, share } of this.#questions) {
      const { isHigh } = share;
      share.note(asked.get(registryName)?.has(name) ?? false);
      isChanged ||= share.isHigh !== isHigh;
    }
    for (const [registryName, names] of asked)
      for (const name of names) isChanged = this.#add(registryName, name) || isChanged;
    if (isChanged) this.#expect();
  }

  /** The names that this registry will have to be asked about, most likely; in order. */
  expectedOf(registryName: string): readonly string[] {
    return this.#expected.get(registryName) ?? [];
  }

  /** Says whether an expected one had to make room. */
  #add(registryName: string, name: string): boolean {
    if (this.#questions.some((each) => each.name === name && each.registryName === registryName)) return false;
    const question = { registryName, name, share: new RecentShare(SOBER) };
    question.share.note(true);
    if (this.#questions.length < MAX_NAMES) {
      this.#questions.push(question);
      return false;
    }
    const rarest = this.#questions.reduce((least, each) => (each.share.value < least.share.value ? each : least));
    this.#questions[this.#questions.indexOf(rarest)] = question;
    return rarest.share.isHigh;
  }

  #expect(): void {
    const expected = new Map<string, string[]>();
    for (const { registryName, name, share } of this.#questions) {
      if (!share.isHigh) continue;
      const names = expected.get(registryName);
      if (names === undefined) expected.set(registryName, [name]);
      else names.push(name);
    }
    for (const names of expected.values()) names.sort();
    this.#expected = expected;
  }
}
