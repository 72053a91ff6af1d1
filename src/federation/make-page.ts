/** Makes one page: opens every registry's stream at once, then merges them. */
import { RegistryFailure } from '../domain/errors.ts';
import { CollapseDecisions, type CollapseSource } from './collapse.ts';
import { wholeFirstRowsOf } from './first-window.ts';
import { type MergeContext, mergePage, prepare } from './merge.ts';
import type { NameCatalog } from './name-catalog.ts';
import type { PageSetting, Participant } from './open-stream.ts';
import { type IsShown, PageRows } from './page-rows.ts';
import type { MadePage } from './search-answer.ts';
import type { OpeningWatch } from './search-progress.ts';
import { OrderWeakened } from './sorted-stream.ts';
import type { RegistryStream } from './stream.ts';

/** How often a page starts again because a registry sorts less well than was believed: twice for each of 100, at most. */
const MAX_RESTARTS = 200;
const NONE_NEEDED: ReadonlyMap<string, ReadonlySet<string>> = new Map();

export interface PageParts {
  readonly setting: PageSetting;
  readonly collapse: boolean;
  readonly isShown: IsShown;
  /** Told of each registry as its stream is opened; null: nobody is. */
  readonly watch: OpeningWatch | null;
  catalogOf(registryName: string): NameCatalog;
}

/** The next `count` entries. Begins again when a registry proves to sort less well than it was read. */
export async function makePage(
  participants: readonly Participant[],
  count: number,
  parts: PageParts,
): Promise<MadePage> {
  for (let restart = 0; ; restart += 1) {
    const rows = new PageRows(parts.isShown);
    const sources: CollapseSource[] = [];
    const { deadlineMs, list, context, search } = parts.setting;
    const isBrowsing = list.query === '';
    const wholeFirstRows = wholeFirstRowsOf(search.window);
    const collapse =
      parts.collapse && shareNamespace(participants)
        ? new CollapseDecisions(sources, { isBrowsing, deadlineMs, wholeFirstRows })
        : null;
    const mergeContext: MergeContext = { compare: context.compare, collapse, deadlineMs, asFailure };
    try {
      await openAll(participants, count, { ...parts, rows, sources, mergeContext });
      const streams = participants.map((participant) => rows.streamOf(participant));
      const merged = await mergePage(streams, count, mergeContext);
      const wantsLongerWindows = collapse?.wantsLongerWindows ?? false;
      return { streams, merged, rows, wantsLongerWindows, neededAnswers: collapse?.neededAnswers ?? NONE_NEEDED };
    } catch (error) {
      if (!(error instanceof OrderWeakened) || restart >= MAX_RESTARTS) throw error;
      participants.find((each) => each.registry.source.info.name === error.registryName)?.readWeaker(error.readAs);
    }
  }
}

interface Opening extends PageParts {
  readonly rows: PageRows;
  /** For collapse: grows as streams are opened; in resolution order. */
  readonly sources: CollapseSource[];
  readonly mergeContext: MergeContext;
}

/**
 * Opens all streams at once and reads the beginning of each. One that is slow must cost its own rows alone: when half of the
 * time is gone, what the page will want of the others is read and asked for meanwhile.
 */
async function openAll(participants: readonly Participant[], count: number, opening: Opening): Promise<void> {
  const opened: RegistryStream[] = [];
  for (const participant of participants) {
    participant.askAhead(count, participants.length);
    if (opening.mergeContext.collapse !== null) participant.askNamesAhead();
  }
  const openings = Promise.allSettled(
    participants.map(async (participant) => {
      const stream = await openFilled(participant);
      opened.push(stream);
      noteOpened(participant, stream, opening);
    }),
  );
  let ahead: Promise<PromiseSettledResult<void>[]> | undefined;
  const halfTimeMs = Math.max(0, (opening.mergeContext.deadlineMs - performance.now()) / 2);
  const timer = setTimeout(() => {
    if (opening.watch?.isGone) return;
    ahead = Promise.allSettled([prepare([...opened], count + 1, opening.mergeContext)]);
  }, halfTimeMs);
  const settled = await openings;
  clearTimeout(timer);
  for (const result of [...settled, ...((await ahead) ?? [])]) if (result.status === 'rejected') throw result.reason;
}

function noteOpened(participant: Participant, stream: RegistryStream, opening: Opening): void {
  opening.rows.setStream(participant, stream);
  if (opening.mergeContext.collapse !== null) addSource(participant, stream, opening);
  opening.watch?.onOpened(participant, stream);
}

function addSource(participant: Participant, stream: RegistryStream, opening: Opening): void {
  const { search, drains, deadlineMs, sinceMs } = opening.setting;
  const catalog = opening.catalogOf(participant.registry.source.info.name);
  const shared = { catalog, drains, limits: search.drain, deadlineMs, sinceMs };
  opening.sources.push(opening.rows.collapseSource(participant, stream, shared));
  opening.sources.sort((left, right) => left.stream.rank - right.stream.rank);
}

/** The stream with its first entries read, or LOST. A wrong belief about its order is mended here, without the others. */
async function openFilled(participant: Participant): Promise<RegistryStream> {
  for (;;) {
    try {
      const opening = participant.openStream();
      const stream = opening instanceof Promise ? await opening : opening;
      if (stream.wantsRows) await stream.fill(() => null, asFailure);
      if (stream.state.type === 'LOST') participant.failure = stream.state.failure;
      return stream;
    } catch (error) {
      if (error instanceof OrderWeakened && participant.readWeaker(error.readAs)) continue;
      participant.failure = asFailure(error);
    }
  }
}

function asFailure(error: unknown): RegistryFailure {
  if (error instanceof RegistryFailure) return error;
  throw error;
}

function shareNamespace(participants: readonly Participant[]): boolean {
  return new Set(participants.map(({ registry }) => registry.source.info.namespace)).size < participants.length;
}
