/** Publishing to one registry, and what has to follow it. */
import type { ChangingCache } from '../domain/cache.ts';
import { type RegistryErrorView, RegistryFailure } from '../domain/errors.ts';
import type { RegistrySource } from '../domain/registry.ts';
import type { TemplateDocument } from '../domain/template.ts';
import type { Publication } from './answers.ts';
import type { IsClaimedElsewhere } from './claims.ts';
import { fetchTemplateState, followTemplateChange } from './template-change.ts';

export interface PublishingSetting {
  readonly isClaimedElsewhere: IsClaimedElsewhere | null;
  /** What keeps the registries' answers; null: nothing does. */
  readonly cache: ChangingCache | null;
  /** For asking the registry how the template is now. */
  readonly timeoutMs: number;
}

/**
 * Sends the document, and forgets what is kept from before: when this resolves, whoever asks reads what was written. Where
 * the registry did not say what became of the document, the answers are forgotten as well: it may have taken it.
 */
export async function publishDocument(
  source: RegistrySource,
  document: TemplateDocument,
  setting: PublishingSetting,
): Promise<Publication> {
  const refusal = findRefusal(source, document, setting);
  if (refusal !== null) return notPublished(refusal);
  const { cache, timeoutMs } = setting;
  const { name } = document;
  try {
    // Searches that hold the template neither as it was nor as it will be stay: what it was is known only before.
    const before = cache === null ? null : await fetchTemplateState(source, name, timeoutMs, Date.now());
    const template = await source.publishTemplate(document);
    if (cache !== null) await followTemplateChange(source, name, cache, timeoutMs, before);
    return { published: true, template, error: null };
  } catch (error) {
    if (!(error instanceof RegistryFailure)) throw error;
    if (cache !== null && mayHaveTaken(error)) await cache.invalidate({ registry: source.info.name, template: name });
    return notPublished(toPublicationError(error, source));
  }
}

/**
 * Finds out what would come of publishing a document, and sends nothing of it: the registry is only asked whether it has
 * that version. What it would say to the document itself, and to the credentials, it alone knows.
 */
export async function rehearsePublication(
  source: RegistrySource,
  document: TemplateDocument,
  setting: PublishingSetting,
): Promise<Publication> {
  const refusal = findRefusal(source, document, setting);
  if (refusal !== null) return notPublished(refusal);
  const { name, version, digest } = document;
  const options = { deadlineMs: performance.now() + setting.timeoutMs, notBeforeMs: Date.now() };
  try {
    const { value } = await source.fetchTemplate(name, version, options);
    if (value === null || value.digest === digest) return { published: false, template: value, error: null };
    return notPublished(new RegistryFailure('CONFLICT', source.info.name).toView());
  } catch (error) {
    if (!(error instanceof RegistryFailure)) throw error;
    return notPublished(toPublicationError(error, source));
  }
}

/** As the failure is told, with what can be done about it where somebody publishes. */
function toPublicationError(failure: RegistryFailure, { forCaller }: RegistrySource): RegistryErrorView {
  const view = failure.toView();
  if (failure.type === 'AUTHENTICATION' || failure.type === 'AUTHORIZATION') {
    // It is asked in the caller's own name: what is said of a token that is missing or refused is right here as well.
    if (forCaller !== undefined && failure.type === 'AUTHENTICATION') return view;
    const whose = forCaller === undefined ? 'the credentials of this gateway' : 'you';
    return { ...view, guidance: `Ask whoever runs the registry to let ${whose} publish there.` };
  }
  if (failure.type !== 'CONFLICT' && mayHaveTaken(failure)) {
    const guidance = 'It is not known whether the registry has taken the document. Publish it again: it is taken once.';
    return { ...view, guidance };
  }
  return view;
}

function notPublished(error: RegistryErrorView): Publication {
  return { published: false, template: null, error };
}

/** What forbids it before the registry is asked. Who else claims the name is not told: not everybody may see that one. */
function findRefusal(
  { info }: RegistrySource,
  { name }: TemplateDocument,
  { isClaimedElsewhere }: PublishingSetting,
): RegistryErrorView | null {
  if (!info.writable) return new RegistryFailure('READ_ONLY', info.name).toView();
  if (!isClaimedElsewhere?.(name, info.name)) return null;
  return {
    ...new RegistryFailure('INVALID', info.name).toView(),
    message: `The name "${name}" is claimed: the registry "${info.name}" may not provide it.`,
    guidance: 'Choose another name, or publish to the registry that the name belongs to.',
  };
}

/** Failures after which the document may be there all the same. */
function mayHaveTaken(failure: RegistryFailure): boolean {
  if (failure.refusedHere) return false;
  switch (failure.type) {
    case 'CONNECTION':
    case 'TIMEOUT':
    case 'PROTOCOL':
    case 'SERVER':
      return true;
    // It has that version, which the cache may not know yet.
    case 'CONFLICT':
      return true;
    case 'TLS':
    case 'AUTHENTICATION':
    case 'AUTHORIZATION':
    case 'RATE_LIMIT':
    case 'CIRCUIT_OPEN':
    case 'NOT_FOUND':
    case 'INVALID':
    case 'READ_ONLY':
      return false;
  }
}
