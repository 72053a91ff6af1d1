/** The real server on a free port of loopback, over a federation that the test brings. */
import { pino } from 'pino';
import { parseConfigObject } from '../../src/config/load.ts';
import type { Caller } from '../../src/domain/caller.ts';
import type { FederationView } from '../../src/federation/answers.ts';
import { createHandler } from '../../src/server/handler.ts';
import { listen } from '../../src/server/listen.ts';
import { createFixtureView } from './fixture-view.ts';

export interface ServedFixture extends AsyncDisposable {
  readonly origin: string;
  /** What was logged, a parsed line each. */
  readonly logLines: Record<string, unknown>[];
  /** Sends a GraphQL request by POST and gives the parsed answer. */
  ask(query: string, variables?: Record<string, unknown>, headers?: Record<string, string>): Promise<GraphqlAnswer>;
  startDraining(): void;
}

export interface GraphqlAnswer {
  readonly status: number;
  readonly text: string;
  readonly data: unknown;
  readonly errors: readonly { message: string; path?: unknown; extensions: Record<string, unknown> }[];
}

export interface ServeFixtureOptions {
  readonly viewFor?: (caller: Caller) => FederationView;
  readonly isReady?: () => boolean;
  /** Beside the registries that every configuration must name. */
  readonly document?: Record<string, unknown>;
}

export async function serveFixture(options: ServeFixtureOptions = {}): Promise<ServedFixture> {
  const config = parseConfigObject({
    server: { secret: 'for tests alone: 0123456789abcdef0123456789abcdef' },
    registries: [{ name: 'official', type: 'official', url: 'https://registry.example' }],
    ...options.document,
  });
  const logLines: Record<string, unknown>[] = [];
  const log = pino({ level: 'debug' }, { write: (line: string) => void logLines.push(JSON.parse(line)) });
  const handler = await createHandler({
    config,
    viewFor: options.viewFor ?? (() => createFixtureView()),
    isReady: options.isReady ?? (() => true),
    version: '0.0.0',
    log,
  });
  const listener = await listen({ host: '127.0.0.1', port: 0, handle: handler.handle });
  return {
    origin: listener.origin,
    logLines,
    startDraining: handler.startDraining,
    async ask(query, variables = {}, headers = {}) {
      const response = await fetch(`${listener.origin}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify({ query, variables }),
      });
      const text = await response.text();
      const { data = null, errors = [] } = JSON.parse(text);
      return { status: response.status, text, data, errors };
    },
    async [Symbol.asyncDispose]() {
      await listener.close(1000);
      await handler.close();
    },
  };
}
