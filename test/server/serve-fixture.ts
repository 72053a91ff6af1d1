/** The real server on a free port of loopback, over a federation that the test brings. */
import { pino } from 'pino';
import { parseConfigObject } from '../../src/config/load.ts';
import type { AuditTrail } from '../../src/domain/audit.ts';
import type { Caller } from '../../src/domain/caller.ts';
import type { FederationView } from '../../src/federation/answers.ts';
import { createHandler, type RequestHandler } from '../../src/server/handler.ts';
import { listen } from '../../src/server/listen.ts';
import { createServerState, type ServerState } from '../../src/server/server-state.ts';
import { HeldTrail } from '../helpers/held-trail.ts';
import { type Ask, createAsk } from './ask.ts';
import { createFixtureView } from './fixture-view.ts';

export interface ServedFixture extends AsyncDisposable {
  readonly origin: string;
  /** What was logged, a parsed line each. */
  readonly logLines: Record<string, unknown>[];
  readonly ask: Ask;
  startDraining(): void;
  invalidate: RequestHandler['invalidate'];
}

export interface ServeFixtureOptions {
  readonly viewFor?: (caller: Caller) => FederationView;
  readonly state?: ServerState;
  /** Default: one that is kept in memory. */
  readonly audit?: AuditTrail;
  /** Beside the registries that every configuration must name. */
  readonly document?: Record<string, unknown>;
}

export async function serveFixture(options: ServeFixtureOptions = {}): Promise<ServedFixture> {
  const config = parseConfigObject({
    server: {
      secret: 'for tests alone: 0123456789abcdef0123456789abcdef',
      // All tests come from one address.
      limits: { requestsPerMinute: 'off', costPerMinute: 'off' },
    },
    registries: [{ name: 'official', type: 'official', url: 'https://registry.example' }],
    ...options.document,
  });
  const logLines: Record<string, unknown>[] = [];
  const log = pino({ level: 'debug' }, { write: (line: string) => void logLines.push(JSON.parse(line)) });
  const state = options.state ?? { ...createServerState(), isReady: true };
  const handler = await createHandler({
    config,
    viewFor: options.viewFor ?? (() => createFixtureView()),
    noteTemplateChange: async () => 0,
    state,
    audit: options.audit ?? new HeldTrail(),
    version: '0.0.0',
    log,
    writeMetrics: () => '',
    tracing: null,
  });
  const listener = await listen({
    ...{ host: '127.0.0.1', port: 0 },
    handle: handler.handle,
    handleUpgrade: handler.handleUpgrade,
  });
  return {
    origin: listener.origin,
    logLines,
    startDraining: handler.startDraining,
    invalidate: handler.invalidate,
    ask: createAsk(listener.origin),
    async [Symbol.asyncDispose]() {
      await listener.close(1000);
      await handler.close();
    },
  };
}
