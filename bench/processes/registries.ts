/** A process with registries: reference registries over generated templates, as slow as they are told to be. */
import { createServer, type Server } from 'node:http';
import { createRegistry, type Registry } from '../../registry/registry.ts';
import { type CatalogOptions, generateTemplates } from '../catalog.ts';
import { delayAnswers } from './delay.ts';
import { type Measurable, startProcess } from './remote.ts';
import { serveCommands } from './serve.ts';

export interface RegistriesOptions extends CatalogOptions {
  readonly count: number;
  readonly templatesEach: number;
  /** One more, the last, which says that it is well and answers no search. */
  readonly withHung?: boolean;
  /** How long each takes to answer. */
  readonly delayMs?: number;
  /** They forbid that their answers are kept: whoever asks again must ask them. */
  readonly noStore?: boolean;
}

/** What one registry was asked for since it was last told to forget, health checks aside. */
export interface Arrivals {
  /** Windows of rows. */
  readonly windows: number;
  /** The sum of their `limit`. */
  readonly rowsAsked: number;
  /** Requests with `name=`: which of these names it carries. */
  readonly questions: number;
  /** Parts of a list of all names, read in the background. */
  readonly listings: number;
  /** All of these, and whatever else there was. */
  readonly calls: number;
}

const RECORDED_REQUESTS = 5_000;

let registries: readonly Registry[] = [];

const commands = {
  /** Gives the addresses, in order. */
  async start(options: RegistriesOptions): Promise<readonly string[]> {
    const { count, templatesEach, sharedEvery, withHung = false, delayMs, noStore = false } = options;
    registries = Array.from({ length: count }, (_, index) =>
      createRegistry({
        templates: generateTemplates(index, templatesEach, sharedEvery === undefined ? {} : { sharedEvery }),
        recordRequests: RECORDED_REQUESTS,
        ...(noStore ? { cacheControl: 'no-store' } : {}),
      }),
    );
    for (const registry of registries) registry.prepare();
    const urls = await Promise.all(registries.map((registry) => registry.listen()));
    const shown = delayMs === undefined ? urls : await Promise.all(urls.map((url) => delayAnswers(url, delayMs)));
    return withHung ? [...shown, await startHung()] : shown;
  },
  forgetArrivals(): void {
    for (const registry of registries) registry.clearRequests();
  },
  readArrivals(): readonly Arrivals[] {
    return registries.map(({ requests }) => {
      const calls = requests.filter(({ path }) => path !== '/api/v1/health');
      const searches = calls.filter(({ path }) => path === '/api/v1/search');
      const questions = searches.filter(({ query }) => query.has('name'));
      const windows = searches.filter(({ query }) => query.has('q') && !query.has('name'));
      return {
        windows: windows.length,
        rowsAsked: windows.reduce((sum, { query }) => sum + Number(query.get('limit')), 0),
        questions: questions.length,
        listings: searches.length - windows.length - questions.length,
        calls: calls.length,
      };
    });
  },
};

async function startHung(): Promise<string> {
  const server: Server = createServer(({ url }, response) => {
    if (url === '/api/v1/health')
      response.writeHead(200, { 'content-type': 'application/json' }).end('{"status":"ok"}');
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a listening server must have a port');
  return `http://127.0.0.1:${address.port}`;
}

export interface RegistriesProcess extends Measurable, AsyncDisposable {
  readonly urls: readonly string[];
  forgetArrivals(): Promise<void>;
  readArrivals(): Promise<readonly Arrivals[]>;
}

/** A process with these registries. */
export async function startRegistries(options: RegistriesOptions): Promise<RegistriesProcess> {
  const { call, ...remote } = startProcess<typeof commands>(new URL(import.meta.url));
  const urls = await call('start', options);
  return {
    ...remote,
    urls,
    forgetArrivals: () => call('forgetArrivals', undefined),
    readArrivals: () => call('readArrivals', undefined),
  };
}

if (process.send !== undefined && import.meta.main) serveCommands(commands);
