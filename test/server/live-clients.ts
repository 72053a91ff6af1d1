/** The clients that frontends use for subscriptions, pointed at a gateway. */
import { createClient as createEventClient } from 'graphql-sse';
import { createClient as createSocketClient } from 'graphql-ws';
import { type ClientOptions, WebSocket } from 'ws';

/** One message, as it came. */
export interface LiveResult {
  readonly data?: unknown;
  readonly errors?:
    | readonly { readonly message: string; readonly extensions?: Record<string, unknown> | undefined }[]
    | undefined;
}

export interface LiveClient extends Disposable {
  /** The results of an operation, as they come. Leaving the loop leaves the subscription. */
  iterate(query: string, variables?: Record<string, unknown>): AsyncIterableIterator<LiveResult>;
}

/** Whether the client comes back at once when its connection ends before its operation; not, where it is not said. */
interface Persistence {
  readonly comesBack?: boolean;
}

const retryIf = ({ comesBack = false }: Persistence) =>
  comesBack ? { retry: async () => undefined } : { retryAttempts: 0 };

/** By graphql-sse, one connection for each subscription. */
export function createSseClient(
  origin: string,
  headers: Record<string, string> = {},
  persistence: Persistence = {},
): LiveClient {
  const client = createEventClient({ url: `${origin}/graphql/stream`, headers, ...retryIf(persistence) });
  return {
    iterate: (query, variables = {}) => client.iterate({ query, variables }),
    [Symbol.dispose]: () => client.dispose(),
  };
}

export interface WsClientOptions extends Persistence {
  readonly connectionParams?: Record<string, unknown>;
  /** Told the code and the reason of each close. */
  readonly onClosed?: (code: number, reason: string) => void;
}

/** By graphql-ws over ws, one socket for all subscriptions. */
export function createWsClient(
  origin: string,
  headers: Record<string, string> = {},
  { connectionParams, onClosed, ...persistence }: WsClientOptions = {},
): LiveClient {
  class SocketWithHeaders extends WebSocket {
    constructor(address: string | URL, protocols?: string | string[], options?: ClientOptions) {
      super(address, protocols, { ...options, headers });
    }
  }
  const client = createSocketClient({
    url: `${origin.replace('http', 'ws')}/graphql`,
    webSocketImpl: SocketWithHeaders,
    ...retryIf(persistence),
    ...(connectionParams && { connectionParams }),
    on: {
      closed: (event) => {
        if (event instanceof Object && 'code' in event && 'reason' in event) {
          onClosed?.(Number(event.code), String(event.reason));
        }
      },
    },
  });
  return {
    iterate: (query, variables = {}) => client.iterate({ query, variables }),
    [Symbol.dispose]: () => void client.dispose(),
  };
}

/** Reads to the end. */
export async function collect(results: AsyncIterable<LiveResult>): Promise<LiveResult[]> {
  const all: LiveResult[] = [];
  for await (const result of results) all.push(result);
  return all;
}
