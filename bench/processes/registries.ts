/** A process with registries: reference registries over generated templates, and where asked one that never answers. */
import { createServer, type Server } from 'node:http';
import { createRegistry, type Registry } from '../../registry/registry.ts';
import { generateTemplates } from '../catalog.ts';
import { type Remote, serveCommands, startProcess } from './remote.ts';

export interface RegistriesOptions {
  readonly count: number;
  readonly templatesEach: number;
  /** One more, the last, which says that it is well and answers no search. */
  readonly withHung?: boolean;
}

/** What one registry was asked for by searches with a query since it was last told to forget. */
export interface SearchArrivals {
  /** Windows of rows. */
  readonly requests: number;
  /** The sum of their `limit`. */
  readonly rowsAsked: number;
  /** Requests with `name=`: whether it carries names that others have. */
  readonly questions: number;
}

const RECORDED_REQUESTS = 5_000;

let registries: readonly Registry[] = [];
let hung: Server | null = null;

const commands = {
  /** Gives the addresses, in order. */
  async start({ count, templatesEach, withHung = false }: RegistriesOptions): Promise<readonly string[]> {
    registries = Array.from({ length: count }, (_, index) =>
      createRegistry({ templates: generateTemplates(index, templatesEach), recordRequests: RECORDED_REQUESTS }),
    );
    for (const registry of registries) registry.prepare();
    const urls = await Promise.all(registries.map((registry) => registry.listen()));
    return withHung ? [...urls, await startHung()] : urls;
  },
  forgetArrivals(): void {
    for (const registry of registries) registry.clearRequests();
  },
  /** Lists of names, which are read in the background, have no query and are not counted. */
  readArrivals(): readonly SearchArrivals[] {
    return registries.map(({ requests }) => {
      const searches = requests.filter(({ path, query }) => path.startsWith('/api/v1/search') && query.has('q'));
      const windows = searches.filter(({ query }) => !query.has('name'));
      const rowsAsked = windows.reduce((sum, { query }) => sum + Number(query.get('limit')), 0);
      return { requests: windows.length, rowsAsked, questions: searches.length - windows.length };
    });
  },
};

async function startHung(): Promise<string> {
  const server = createServer(({ url }, response) => {
    if (url === '/api/v1/health')
      response.writeHead(200, { 'content-type': 'application/json' }).end('{"status":"ok"}');
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  hung = server;
  const address = hung.address();
  if (address === null || typeof address === 'string') throw new Error('a listening server must have a port');
  return `http://127.0.0.1:${address.port}`;
}

/** A process with these registries, and their addresses. */
export async function startRegistries(
  options: RegistriesOptions,
): Promise<{ readonly remote: Remote<typeof commands>; readonly urls: readonly string[] }> {
  const remote = startProcess<typeof commands>('registries.ts');
  return { remote, urls: await remote.call('start', options) };
}

if (process.send !== undefined && import.meta.main) serveCommands(commands);
