/** The peers: other servers that do the job over the same registries, each as its own documentation builds it. */
import { type Client, openClient, writePost } from '../client.ts';
import { type JobSearch, requireWhole, writeJob } from '../job.ts';
import type { Contender } from '../measure.ts';
import { type Remote, startProcess } from '../processes/remote.ts';
import type { PeerOptions } from './job.ts';

const PEERS = [
  { name: 'Apollo Server, datasource-rest, response cache', file: 'apollo.ts' },
  { name: 'Mercurius, JIT, cache', file: 'mercurius.ts' },
  { name: 'GraphQL Yoga, response cache', file: 'yoga.ts' },
] as const;

export interface Peer extends AsyncDisposable {
  readonly name: string;
  readonly client: Client;
  /** The search as a request to it. */
  write(search: JobSearch): Buffer;
  /** It as one way to do the job; `searchOf` gives what is searched for in each request. */
  contend(searchOf: (number: number) => JobSearch): Contender;
}

interface PeerCommands extends Readonly<Record<string, (argument: never) => unknown>> {
  readonly start: (options: PeerOptions) => Promise<string>;
}

/** `registryUrls` null: none. */
export async function startPeers(registryUrls: readonly string[] | null): Promise<readonly Peer[] & AsyncDisposable> {
  const peers =
    registryUrls === null ? [] : await Promise.all(PEERS.map(({ name, file }) => startPeer(name, file, registryUrls)));
  return Object.assign(peers, {
    [Symbol.asyncDispose]: async () => {
      await Promise.all(peers.map((peer) => peer[Symbol.asyncDispose]()));
    },
  });
}

async function startPeer(name: string, file: string, registryUrls: readonly string[]): Promise<Peer> {
  const process: Remote<PeerCommands> = startProcess<PeerCommands>(new URL(file, import.meta.url));
  const { origin, pathname } = new URL(await process.call('start', { registryUrls }));
  const client = openClient(origin);
  const write = (search: JobSearch) => writePost(client.host, pathname, writeJob(search));
  return {
    name,
    client,
    write,
    contend: (searchOf) => ({
      name,
      process,
      client,
      request: (number) => write(searchOf(number)),
      check: (answer) => requireWhole(answer, registryUrls.length),
    }),
    async [Symbol.asyncDispose]() {
      await client[Symbol.asyncDispose]();
      await process[Symbol.asyncDispose]();
    },
  };
}
