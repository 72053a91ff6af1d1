/** /graphql upgraded: GraphQL over WebSocket, the subprotocol "graphql-transport-ws", as graphql-ws speaks it. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { ExecutionArgs, ExecutionResult } from 'graphql';
import { CloseCode, type Context, handleProtocols, makeServer, type Server, type SubscribePayload } from 'graphql-ws';
import type { Logger } from 'pino';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Authenticate, Credentials } from '../access/authenticate.ts';
import type { Quota } from '../access/caller-quotas.ts';
import { IdentityUnavailable, isDenial, RateLimited, Unauthenticated } from '../access/errors.ts';
import type { Caller } from '../domain/caller.ts';
import { translateError } from './client-errors.ts';
import { ClientSocket } from './client-socket.ts';
import { readParameters } from './graphql-request.ts';
import type { CreateLiveContext, LiveAccess } from './live-context.ts';
import type { LiveTimes } from './live-times.ts';
import { beginExecution, type OpenOperations } from './open-operations.ts';
import type { OperationStream } from './operation-stream.ts';
import { isForeign } from './origin.ts';
import { describeRefusal, findRefusal } from './refusals.ts';
import { chooseRequestId } from './request-id.ts';
import { joinCredentials } from './socket-credentials.ts';
import { type EndReason, STOPPING } from './stream-ended.ts';
import type { StreamedOperations } from './streamed-operations.ts';
import { type Refusal, refuseUpgrade } from './upgrade-refusal.ts';

/** Sockets that have not said yet who they are, of all clients together; of one address as many as one caller may have. */
const MAX_UNKNOWN = 1000;
/** RFC 6455's registry of close codes. */
const TRY_AGAIN_LATER = 1013;
/** RFC 6455, section 5.5: a control frame has 125 bytes, of which the code takes two. */
const MAX_REASON_BYTES = 123;

export interface SocketEndpointOptions extends LiveAccess {
  readonly operations: StreamedOperations;
  /** Operations that are open. */
  readonly open: OpenOperations;
  /** Sockets that are. */
  readonly openSockets: OpenOperations;
  /** Of one message. */
  readonly maxBodyBytes: number;
  readonly readCredentials: (request: IncomingMessage) => Credentials;
  readonly authenticate: Authenticate;
  readonly createContext: CreateLiveContext;
  /** Puts on record that somebody was refused for who calls. Never rejects. */
  readonly recordDenial: (requestId: string) => Promise<void>;
  readonly log: Logger;
  readonly times: LiveTimes;
}

export interface SocketEndpoint {
  /** Takes over a connection that asks for /graphql as a WebSocket. Never throws. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Takes nothing more, and says goodbye to whoever is connected, when what ends by itself has ended. */
  end(reason: EndReason): void;
  /** Closes the sockets of those whose credentials do not hold any more. */
  recheck(): void;
  /** Cuts off whoever is left. */
  close(): void;
}

/** What there is to know of one socket. */
interface Connection {
  readonly request: IncomingMessage;
  readonly socket: ClientSocket;
  caller: Caller | null;
  /** By which the caller was let in. */
  credentials: Credentials;
  /** Leaves the caller's place among the sockets. */
  leave: () => void;
  /** Operations that end by themselves, by their id. */
  readonly finite: Set<string>;
}

type SocketContext = Context<Record<string, unknown> | undefined, Connection>;

/** Makes the endpoint. */
export function createSocketEndpoint(options: SocketEndpointOptions): SocketEndpoint {
  const endpoint = new GraphqlSockets(options);
  return {
    handleUpgrade: (request, socket, head) => endpoint.handleUpgrade(request, socket, head),
    end: (reason) => endpoint.end(reason),
    recheck: () => endpoint.recheck(),
    close: () => endpoint.close(),
  };
}

class GraphqlSockets {
  readonly #options: SocketEndpointOptions;
  readonly #connections = new Set<Connection>();
  readonly #sockets: WebSocketServer;
  readonly #ready = new WeakMap<ExecutionArgs, () => OperationStream>();
  readonly #protocol: Server<Connection>;
  /** Ends the waiting of a client that has not said who it is. */
  readonly #waiting = new WeakMap<IncomingMessage, () => void>();
  #unknown = 0;
  /** Why nothing more is taken; null: it is. */
  #ending: EndReason | null = null;

  constructor(options: SocketEndpointOptions) {
    this.#options = options;
    this.#protocol = makeServer<Record<string, unknown> | undefined, Connection>({
      connectionInitWaitTimeout: options.times.init,
      onConnect: (context) => this.#acceptCaller(context),
      onSubscribe: (context, id, payload) => this.#prepare(context, id, payload),
      subscribe: (args) => this.#start(args),
      execute: (args) => this.#finish(args),
      onComplete: ({ extra }, id) => void extra.finite.delete(id),
    });
    this.#sockets = new WebSocketServer({
      ...{ noServer: true, clientTracking: false, maxPayload: options.maxBodyBytes, perMessageDeflate: false },
      handleProtocols,
    });
  }

  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // A client that leaves now is no matter.
    socket.on('error', () => undefined);
    this.#refuse(request)
      .then((refusal) => {
        if (refusal !== null) refuseUpgrade(socket, refusal);
        else this.#sockets.handleUpgrade(request, socket, head, (opened) => this.#open(opened, request));
      })
      .catch((error: unknown) => {
        this.#options.log.error({ err: error }, 'a WebSocket could not be opened because of a defect');
        socket.destroy();
      });
  }

  end(reason: EndReason): void {
    this.#ending = reason;
    for (const connection of this.#connections) this.#leaveWhenDone(connection, reason);
    setTimeout(() => this.#leaveAll(reason), this.#options.times.finish).unref();
  }

  recheck(): void {
    for (const { caller, credentials, socket } of this.#connections) {
      if (caller === null) continue;
      findRefusal(() => this.#options.authenticate(credentials)).then(
        (refusal) => refusal && socket.close(CloseCode.Forbidden, shorten(refusal.message)),
        (error: unknown) =>
          this.#options.log.error({ err: error }, 'a caller could not be looked at because of a defect'),
      );
    }
  }

  close(): void {
    this.#leaveAll(this.#ending ?? STOPPING);
  }

  #leaveAll(reason: EndReason): void {
    for (const { socket } of this.#connections) socket.sayGoodbye(reason);
  }

  /** Why there is no socket for this request; null: there is. */
  async #refuse(request: IncomingMessage): Promise<Refusal | null> {
    if (isForeign(request) && !this.#options.crossOrigin.admits(request))
      return [403, 'FORBIDDEN', 'A page of another site may not open a WebSocket here.'];
    if (this.#ending !== null || this.#unknown >= MAX_UNKNOWN) {
      return [503, 'STREAM_ENDED', 'No WebSocket can be opened at this moment. Try again.'];
    }
    try {
      this.#wait(request);
      const credentials = this.#options.readCredentials(request);
      // Whoever sends none may still say who it is in its first message.
      if (credentials.authorization !== undefined || credentials.apiKey !== undefined) {
        await this.#options.authenticate(credentials);
      }
      return null;
    } catch (error) {
      const told = await this.#noteRefusal(request, error);
      const refusal = describeRefusal(told);
      const known = translateError(told);
      if (refusal === null || known === null) throw error;
      return [refusal.status, known.code, known.message, refusal.headers];
    }
  }

  /** The error to tell of a caller that is not let in, which is on record when this resolves. */
  async #noteRefusal(request: IncomingMessage, error: unknown): Promise<unknown> {
    if (isDenial(error)) await this.#options.recordDenial(chooseRequestId(undefined));
    return this.#options.admission.refuse({ request, quota: null }, error);
  }

  /** Takes a place among those who have not said who they are. Throws RateLimited. */
  #wait(request: IncomingMessage): void {
    const leave = this.#options.openSockets.enter(
      `waiting ${this.#options.admission.keyOf(request, null)}`,
      'WebSockets',
    );
    this.#unknown += 1;
    let isWaiting = true;
    const stopWaiting = () => {
      if (isWaiting) this.#unknown -= 1;
      isWaiting = false;
      leave();
    };
    this.#waiting.set(request, stopWaiting);
    request.socket.once('close', stopWaiting);
  }

  #open(opened: WebSocket, request: IncomingMessage): void {
    const { log, times } = this.#options;
    const socket = new ClientSocket(opened, times, log);
    const connection: Connection = {
      request,
      socket,
      caller: null,
      credentials: { authorization: undefined, apiKey: undefined },
      leave: this.#waiting.get(request) ?? (() => undefined),
      finite: new Set(),
    };
    this.#connections.add(connection);
    const closed = this.#protocol.opened(
      {
        protocol: opened.protocol,
        send: (data) => socket.send(data),
        close: (code, reason) => socket.close(code, reason),
        onMessage: (handle) =>
          socket.onMessage(async (data) => {
            await handle(data);
            if (this.#ending !== null) this.#leaveWhenDone(connection, this.#ending);
          }),
      },
      connection,
    );
    opened.once('close', (code, reason) => {
      this.#connections.delete(connection);
      connection.leave();
      closed(code, String(reason)).catch((error: unknown) =>
        log.error({ err: error }, 'a WebSocket could not be left because of a defect'),
      );
    });
    // It was on its way when the others were told.
    if (this.#ending !== null) socket.sayGoodbye(this.#ending);
  }

  #leaveWhenDone({ finite, socket }: Connection, reason: EndReason): void {
    if (finite.size === 0) socket.sayGoodbye(reason);
  }

  /** Says whether the client may go on. What its first message says of it must agree with what its request said. */
  async #acceptCaller({ extra, connectionParams }: SocketContext): Promise<boolean> {
    try {
      const credentials = joinCredentials(this.#options.readCredentials(extra.request), connectionParams ?? {});
      const caller = await this.#options.authenticate(credentials);
      const { openSockets, admission, callerKeyOf } = this.#options;
      const leave = openSockets.enter(admission.keyOf(extra.request, callerKeyOf(caller)), 'WebSockets');
      extra.leave();
      extra.leave = leave;
      extra.caller = caller;
      extra.credentials = credentials;
      return true;
    } catch (error) {
      const told = await this.#noteRefusal(extra.request, error);
      if (told instanceof IdentityUnavailable) extra.socket.close(TRY_AGAIN_LATER, shorten(told.message));
      else if (told instanceof Unauthenticated) extra.socket.close(CloseCode.Forbidden, shorten(told.message));
      else if (told instanceof RateLimited) {
        extra.socket.close(CloseCode.TooManyInitialisationRequests, shorten(told.message));
      } else throw error;
      return false;
    }
  }

  #prepare({ extra }: SocketContext, id: string, payload: SubscribePayload) {
    const { operations, open, admission } = this.#options;
    const { request, caller } = extra;
    const requestId = chooseRequestId(undefined);
    if (caller === null) throw new TypeError('a socket must have a caller before it subscribes');
    try {
      const admitted: { readonly request: IncomingMessage; quota: Quota | null } = { request, quota: null };
      const callerKey = this.#options.callerKeyOf(caller);
      admission.admit(admitted, callerKey);
      const parameters = this.#options.resolveDocument(readParameters(payload));
      const { quota } = admitted;
      const { context, onClosed } = this.#options.createContext({ request, requestId, quota }, caller);
      const prepared = operations.prepare(parameters, context);
      if (prepared.type === 'REFUSED') return prepared.errors;
      const leave = open.enter(admission.keyOf(request, callerKey), 'subscriptions');
      const endExecution = beginExecution(prepared, quota, leave);
      if (!prepared.isEndless) extra.finite.add(id);
      const reader = {
        onClosed: () => {
          onClosed();
          endExecution();
        },
      };
      this.#ready.set(prepared.args, () =>
        operations.open(prepared, { requestId, trace: null, headers: request.headers }, reader),
      );
      return prepared.args;
    } catch (error) {
      return operations.refuse(error, requestId);
    }
  }

  #start(args: ExecutionArgs): OperationStream {
    const open = this.#ready.get(args);
    if (open === undefined) throw new TypeError('an operation must be prepared before it is started');
    return open();
  }

  /** The one result of a query or a mutation. */
  async #finish(args: ExecutionArgs): Promise<ExecutionResult> {
    const stream = this.#start(args);
    const { value } = await stream.next();
    await stream.return();
    return value ?? {};
  }
}

/** Our messages are ASCII: a character is a byte. */
function shorten(reason: string): string {
  return reason.length <= MAX_REASON_BYTES ? reason : `${reason.slice(0, MAX_REASON_BYTES - 3)}...`;
}
