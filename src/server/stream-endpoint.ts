/** /graphql/stream: GraphQL over server-sent events, in the "distinct connections mode" of graphql-sse's protocol. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createHandler } from 'graphql-sse';
import type { Logger } from 'pino';
import type { DocumentFacts } from '../access/document-limits.ts';
import { isDenial } from '../access/errors.ts';
import type { Caller } from '../domain/caller.ts';
import { refuseWrites } from './chosen-operation.ts';
import type { GraphqlExchange } from './graphql-endpoint.ts';
import { answerError } from './graphql-errors.ts';
import { readParameters, readSearchParameters, refuseForeignPages } from './graphql-request.ts';
import type { CreateLiveContext, LiveAccess } from './live-context.ts';
import type { LiveTimes } from './live-times.ts';
import { beginExecution, type OpenOperations } from './open-operations.ts';
import type { CountOperation } from './operation-errors.ts';
import type { OperationStream } from './operation-stream.ts';
import { findRefusal } from './refusals.ts';
import { checkBodyHeaders, collectBody, parseJsonBody } from './request-body.ts';
import { RequestError } from './request-error.ts';
import { listOwnHeaders, SHARED_HEADERS, sendAnswer } from './responses.ts';
import { Pace, sendEvents } from './sent-events.ts';
import { type EndReason, REPLACED, STOPPING, StreamEnded, streamEnded, TOO_SLOW } from './stream-ended.ts';
import type { StreamedOperations } from './streamed-operations.ts';

/** Of errors before the stream begins. */
const JSON_TYPE = 'application/graphql-response+json';

export interface StreamEndpointOptions extends LiveAccess {
  readonly operations: StreamedOperations;
  readonly open: OpenOperations;
  /** Throws what src/access/document-limits.ts does. */
  readonly checkDocument: (text: string) => DocumentFacts;
  readonly maxBodyBytes: number;
  /** Establishes the caller; throws, or rejects with, Unauthenticated or IdentityUnavailable. */
  readonly authenticate: (request: IncomingMessage) => Caller | Promise<Caller>;
  readonly createContext: CreateLiveContext;
  /** Puts on record that a request was refused for who calls. Never rejects. */
  readonly recordDenial: (requestId: string) => Promise<void>;
  readonly log: Logger;
  /** Told of each operation that was refused before it became one. */
  readonly countOperation: CountOperation;
  readonly times: LiveTimes;
}

export interface StreamEndpoint {
  /** Answers by itself, once, whatever goes wrong. */
  answer(exchange: GraphqlExchange): void;
  /** Takes nothing more, and says goodbye to whoever listens, when what ends by itself has ended. */
  end(reason: EndReason): void;
  /** Ends the streams of those whose credentials do not hold any more. */
  recheck(): void;
  /** Ends whatever is left. */
  close(): void;
}

/** An operation that may begin, or the errors in its place. */
interface Accepted {
  readonly prepared: ReturnType<StreamedOperations['prepare']>;
  readonly query: string;
  readonly cost: number;
}

interface OpenStream {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly stream: OperationStream;
  readonly isEndless: boolean;
}

/** Makes the endpoint. */
export function createStreamEndpoint(options: StreamEndpointOptions): StreamEndpoint {
  const endpoint = new EventStreamEndpoint(options);
  return {
    answer: (exchange) => endpoint.answer(exchange),
    end: (reason) => endpoint.end(reason),
    recheck: () => endpoint.recheck(),
    close: () => endpoint.endAll(STOPPING),
  };
}

class EventStreamEndpoint {
  readonly #options: StreamEndpointOptions;
  readonly #streams = new Set<OpenStream>();
  /** Why nothing more is taken; null: it is. */
  #ending: EndReason | null = null;
  // The checks are ours and done before: of the protocol's handler the messages are wanted.
  readonly #speak = createHandler<IncomingMessage, OperationStream>({
    authenticate: () => null,
    onSubscribe: ({ context }) => context,
  });

  constructor(options: StreamEndpointOptions) {
    this.#options = options;
  }

  answer(exchange: GraphqlExchange): void {
    this.#accept(exchange).catch((error: unknown) => this.#sendError(exchange, error));
  }

  /** Rejects with what is told. Whoever is not known is not told what else is wrong. */
  async #accept(exchange: GraphqlExchange): Promise<void> {
    const { request, search } = exchange;
    const { admission, callerKeyOf } = this.#options;
    let caller: Caller;
    try {
      caller = await this.#options.authenticate(request);
    } catch (error) {
      throw admission.refuse(exchange, error);
    }
    admission.admit(exchange, callerKeyOf(caller));
    this.#check(request);
    if (request.method === 'GET') {
      this.#begin(exchange, caller, () => readSearchParameters(search));
      return;
    }
    collectBody(
      request,
      this.#options.maxBodyBytes,
      (bytes) => this.#begin(exchange, caller, () => parseJsonBody(bytes)),
      (error) => this.#sendError(exchange, error),
    );
  }

  end(reason: EndReason): void {
    this.#ending = reason;
    for (const opened of this.#streams) if (opened.isEndless) endStream(opened, reason);
    setTimeout(() => this.endAll(reason), this.#options.times.finish).unref();
  }

  /** Throws RequestError, StreamEnded. */
  #check(request: IncomingMessage): void {
    if (!acceptsEvents(request.headers.accept)) {
      throw new RequestError(406, 'accept', '"Accept" must allow text/event-stream.');
    }
    if (request.method === 'POST') checkBodyHeaders(request, this.#options.maxBodyBytes);
    else if (request.method === 'GET') {
      if (!this.#options.crossOrigin.admits(request)) refuseForeignPages(request);
    } else throw new RequestError(405, 'method', 'A GraphQL request must be a GET or a POST.', { Allow: 'GET, POST' });
    if (this.#ending !== null) throw streamEnded(this.#ending);
  }

  recheck(): void {
    for (const { request, stream } of this.#streams) {
      findRefusal(() => this.#options.authenticate(request)).then(
        (refusal) => refusal && stream.end(refusal),
        (error: unknown) =>
          this.#options.log.error({ err: error }, 'a caller could not be looked at because of a defect'),
      );
    }
  }

  endAll(reason: EndReason): void {
    for (const opened of this.#streams) endStream(opened, reason);
  }

  #begin(exchange: GraphqlExchange, caller: Caller, readSent: () => unknown): void {
    try {
      const { request } = exchange;
      const { admission, callerKeyOf } = this.#options;
      const parameters = this.#options.resolveDocument(readParameters(readSent()));
      if (request.method === 'GET')
        refuseWrites(this.#options.checkDocument(parameters.query), parameters.operationName);
      const leave = this.#options.open.enter(admission.keyOf(request, callerKeyOf(caller)), 'subscriptions');
      const { requestId, quota } = exchange;
      const { context, onClosed } = this.#options.createContext({ request, requestId, quota }, caller);
      const prepared = this.#options.operations.prepare(parameters, context);
      const end = beginExecution(prepared, quota, leave);
      const accepted = { prepared, query: parameters.query, cost: context.notes.cost ?? 0 };
      const onEnd = () => {
        onClosed();
        end();
      };
      this.#stream(exchange, accepted, onEnd).catch((error: unknown) => {
        end();
        this.#options.log.error({ requestId: exchange.requestId, err: error }, 'a stream ended in a defect');
        exchange.response.destroy();
      });
    } catch (error) {
      this.#sendError(exchange, error);
    }
  }

  async #stream(exchange: GraphqlExchange, { prepared, query, cost }: Accepted, onEnd: () => void): Promise<void> {
    const { request, response, requestId, trace, mustClose } = exchange;
    const { times, log } = this.#options;
    const pace = new Pace();
    const isEndless = prepared.type === 'READY' && prepared.isEndless;
    const stream = this.#options.operations.open(
      prepared,
      { requestId, trace: trace?.scope ?? null, headers: request.headers },
      {
        onClosed: () => {
          onEnd();
          this.#streams.delete(opened);
        },
        whenWanted: () => pace.whenWanted(),
      },
    );
    const opened = { request, response, stream, isEndless };
    this.#streams.add(opened);
    // Its body was still on its way when the others were told.
    if (isEndless && this.#ending !== null) endStream(opened, this.#ending);
    try {
      const [body] = await this.#speak(toProtocol(request, query, stream));
      if (body === null || typeof body === 'string') throw new TypeError('graphql-sse must answer with a stream');
      exchange.countStatus(200);
      response.writeHead(200, [
        ...SHARED_HEADERS,
        ...listOwnHeaders(exchange, Date.now()),
        ...['Content-Type', 'text/event-stream; charset=utf-8', 'Cache-Control', 'no-store', 'X-Request-Id', requestId],
        // Proxies that gather answers before they pass them on would keep events back (nginx reads this).
        ...['X-Accel-Buffering', 'no', 'X-GraphQL-Cost', String(cost)],
        ...(mustClose() ? ['Connection', 'close'] : []),
      ]);
      await sendEvents(response, body, {
        pace,
        patienceMs: times.patience,
        goodbyeMs: times.goodbye,
        onTooSlow: () => {
          log.info({ requestId }, 'a stream was ended because its client reads too slowly');
          void stream.end(streamEnded(TOO_SLOW));
        },
      });
    } finally {
      // Whatever went wrong, nothing of it stays.
      await stream.return();
    }
  }

  #sendError(exchange: GraphqlExchange, error: unknown): void {
    const send = () => this.#tellError(exchange, error);
    if (isDenial(error)) this.#options.recordDenial(exchange.requestId).then(send, send);
    else send();
  }

  #tellError(exchange: GraphqlExchange, error: unknown): void {
    const answer = answerError(error, exchange, JSON_TYPE, this.#options);
    const isStopping = error instanceof StreamEnded;
    sendAnswer(exchange, isStopping ? { ...answer, status: 503, headers: { 'Retry-After': '1' } } : answer);
  }
}

/**
 * Where there is somebody who goes on with it at once, the connection ends and the operation does not: without "complete" the
 * protocol's clients, and a browser's EventSource, come back by themselves.
 */
function endStream({ response, stream }: OpenStream, reason: EndReason): void {
  if (reason === REPLACED) response.end();
  else void stream.end(streamEnded(reason));
}

/** What the protocol's handler looks at; the rest was looked at before. */
function toProtocol(raw: IncomingMessage, query: string, context: OperationStream) {
  return {
    method: 'POST',
    url: '/graphql/stream',
    headers: { get: (name: string) => (name === 'accept' ? 'text/event-stream' : 'application/json') },
    body: { query },
    raw,
    context,
  };
}

/** Whoever names nothing takes what there is. */
function acceptsEvents(accept = '*/*'): boolean {
  return accept.split(',').some((part) => {
    const [range = '', ...parameters] = part.split(';').map((each) => each.trim().toLowerCase());
    if (range !== 'text/event-stream' && range !== 'text/*' && range !== '*/*') return false;
    return !parameters.some((parameter) => /^q=0(?:\.0*)?$/.test(parameter));
  });
}
