/** What a registry says of a change of its own, carried into the cache: what can hold the template goes, the rest stays. */
import type { CacheInvalidation, ChangingCache, TemplateState } from '../domain/cache.ts';
import { RegistryFailure } from '../domain/errors.ts';
import type { RegistrySource } from '../domain/registry.ts';

/**
 * Drops what may hold the template `name`, and gives how many answers that were. The look-ups go first; then the registry is
 * asked how the template is now, for `timeoutMs` at most, so that searches whose filters pass it neither as it was nor as it
 * is can stay. Where either is not known all searches of the registry go. The registry's failure is none of this. `before`: how
 * the template was, from whoever knows it; what the last look-up has told, where it is not given.
 */
export async function followTemplateChange(
  source: RegistrySource,
  name: string,
  cache: ChangingCache,
  timeoutMs: number,
  before?: TemplateState | null,
): Promise<number> {
  const changed = { registry: source.info.name, template: name };
  const earlier = before === undefined ? await source.recallTemplate(name) : before;
  const counts = await Promise.all([
    cache.invalidate({ ...changed, layer: 'TEMPLATE' }),
    fetchTemplateState(source, name, timeoutMs, 0).then((after) => {
      const told = { ...changed, ...tellStates(earlier, after) };
      // By layers, so that the look-up that was just made stays: it is what the template was when it changes again.
      return Promise.all([
        cache.invalidate({ ...told, layer: 'SEARCH' }),
        cache.invalidate({ ...told, layer: 'CATALOG' }),
      ]);
    }),
  ]);
  return counts.flat().reduce((sum, count) => sum + count, 0);
}

/** How the template is; null: the registry does not say. `notBeforeMs`: as in CallOptions. Never rejects for a registry's failure. */
export async function fetchTemplateState(
  source: RegistrySource,
  name: string,
  timeoutMs: number,
  notBeforeMs: number,
): Promise<TemplateState | null> {
  try {
    const answer = await source.fetchTemplate(name, null, { deadlineMs: performance.now() + timeoutMs, notBeforeMs });
    return answer.value ?? 'ABSENT';
  } catch (error) {
    if (!(error instanceof RegistryFailure)) throw error;
    return null;
  }
}

/**
 * What was remembered is the state before the change only if it differs from the state behind it: a look-up that was made
 * between the change and its announcement knows the new one already, and nobody knows the old one then. Where every change
 * is announced, in order, nothing from before the last one is left when that was followed.
 */
function tellStates(
  before: TemplateState | null,
  after: TemplateState | null,
): Pick<CacheInvalidation, 'before' | 'after'> {
  if (after === null) return {};
  return before === null || isSamePublication(before, after) ? { after } : { before, after };
}

function isSamePublication(one: TemplateState, other: TemplateState): boolean {
  if (one === 'ABSENT' || other === 'ABSENT') return one === other;
  return one.version === other.version && one.updatedAtMs === other.updatedAtMs && one.digest === other.digest;
}
