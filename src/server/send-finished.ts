/** How answers to operations are sent: those that are kept already, and those that were just made. */
import type { IncomingMessage } from 'node:http';
import { createCodingChooser } from './content-coding.ts';
import { makeEtag, matchesEtag } from './entity-tag.ts';
import {
  CACHE_CONTROL_AT,
  describeLifetime,
  describeVariance,
  type FinishedAnswer,
  REQUEST_ID_AT,
  type Variant,
} from './finished-answer.ts';
import type { FinishedAnswers } from './finished-answers.ts';
import { type Answer, type Exchange, listOwnHeaders } from './responses.ts';
import type { Executed } from './shared-executions.ts';

type AskedExchange = Exchange & { readonly request: IncomingMessage };

const chooseCodings = createCodingChooser();

/** One moment of a request on two clocks: to ask a clock is felt where all else is ready. */
interface Asked {
  /** When the request was there, on the clock of `performance.now()`. */
  readonly startedMs: number;
  /** On the clock of `Date.now()`. */
  readonly nowMs: number;
}

/** Sends an answer that is kept, and counts what it stands for. */
export function sendFinished(
  exchange: AskedExchange,
  answer: FinishedAnswer,
  store: FinishedAnswers,
  { startedMs, nowMs }: Asked,
): void {
  const { request, response } = exchange;
  const { headers } = request;
  // RFC 9110, 13.1.2: the condition is one of reading; of other methods it would be a refusal.
  const known = request.method === 'GET' ? answer.findKnown(headers['if-none-match']) : null;
  const codings = chooseCodings(headers['accept-encoding']);
  const variant = known ?? (codings.length === 0 ? answer.identity : answer.choose(codings, store));
  if (!response.headersSent && !response.destroyed) {
    if (known === null) {
      response.writeHead(200, fillHeaders(variant, answer, exchange, nowMs));
      response.end(variant.content, 'latin1');
      exchange.countStatus(200);
    } else {
      response.writeHead(304, withoutContent(fillHeaders(variant, answer, exchange, nowMs)));
      response.end();
      exchange.countStatus(304);
    }
  }
  store.use.hits += 1;
  answer.record.countAgain(performance.now() - startedMs);
}

/** The variant's own list, made ready for one use. */
function fillHeaders({ headers }: Variant, answer: FinishedAnswer, exchange: Exchange, nowMs: number): string[] {
  headers[REQUEST_ID_AT] = exchange.requestId;
  headers[CACHE_CONTROL_AT] = answer.cacheControl(nowMs);
  const own = listOwnHeaders(exchange, nowMs);
  const all = own.length === 0 ? headers : headers.concat(own);
  return exchange.mustClose() ? [...all, 'Connection', 'close'] : all;
}

/** RFC 9110, 15.4.5 and 8.6: a 304 says nothing of a body that it does not have. */
function withoutContent(headers: readonly string[]): string[] {
  return headers.filter((_, index) => !/^Content-(?:Type|Length|Encoding)$/.test(headers[index - (index % 2)] ?? ''));
}

/** How long an answer that was just made is true, and for whom. */
interface Lifetime {
  readonly isPublic: boolean;
  readonly usesOrigin: boolean;
  /** On the clock of `Date.now()`; 0: it is for this once. */
  readonly freshUntilMs: number;
}

/** The answer to send. `lifetime` null: it may differ at once. */
export function answerExecuted(
  { status, contentType, body, record }: Executed,
  lifetime: Lifetime | null,
  { method, headers: asked }: Pick<IncomingMessage, 'method' | 'headers'>,
): Answer {
  const headers: Record<string, string> = {};
  if (record.cost !== null) headers['X-GraphQL-Cost'] = String(record.cost);
  if (lifetime === null || lifetime.freshUntilMs === 0) return { status, contentType, body, headers };
  const seconds = Math.max(0, Math.floor((lifetime.freshUntilMs - Date.now()) / 1000));
  headers['Cache-Control'] = describeLifetime(lifetime.isPublic, seconds);
  headers.Vary = describeVariance(lifetime.usesOrigin);
  const ifNoneMatch = method === 'GET' ? asked['if-none-match'] : undefined;
  if (ifNoneMatch === undefined) return { status, contentType, body, headers };
  headers.ETag = makeEtag(Buffer.from(body));
  if (!matchesEtag(ifNoneMatch, headers.ETag)) return { status, contentType, body, headers };
  return { status: 304, contentType, body: '', headers };
}

/** What an operation cost, for who asked (`extensions: {cost: true}`). */
export interface ToldCost {
  /** The most that it could have caused: what it was charged with. */
  readonly requested: number;
  /** Objects in the answer, and calls to registries that were made for it. */
  readonly actual: number;
  /** What the caller may still spend in this minute, and when all of it is there again; null: any amount. */
  readonly remaining: number | null;
  readonly resetAt: string | null;
}

/** Adds `extensions.cost` to an answer as text: no other extension is ever in it. */
export function tellCost(body: string, cost: ToldCost): string {
  const end = body.lastIndexOf('}');
  return `${body.slice(0, end)},"extensions":{"cost":${JSON.stringify(cost)}}${body.slice(end)}`;
}

/** Objects in `data` of an answer: the roots of it are none. */
export function countObjects(body: string): number {
  const { data }: { data?: unknown } = JSON.parse(body);
  let count = -1;
  const pending: unknown[] = [data];
  while (pending.length > 0) {
    const value = pending.pop();
    if (typeof value !== 'object' || value === null) continue;
    if (!Array.isArray(value)) count += 1;
    for (const member of Object.values(value)) pending.push(member);
  }
  return Math.max(0, count);
}
