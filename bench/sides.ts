/** The two sides of every comparison: the gateway, and the bare side that does no more than it must. */
import { type Client, openClient, writePost } from './client.ts';
import { type JobExtras, type JobSearch, requireWhole, writeJob } from './job.ts';
import type { Contender } from './measure.ts';
import { type BareSearch, type HotAnswer, startBareProcess } from './processes/bare.ts';
import { type GatewayOptions, type GatewayProcess, startGateway } from './processes/gateway.ts';
import type { Measurable } from './processes/remote.ts';

/** What is searched for in the request of a number. */
type SearchOf<S> = (number: number) => S;

export interface GatewaySide extends AsyncDisposable {
  readonly process: GatewayProcess;
  readonly client: Client;
  write(search: JobSearch, extras?: JobExtras): Buffer;
  contend(name: string, searchOf: SearchOf<JobSearch>, extras?: JobExtras): Contender;
}

/** Starts a gateway that knows nothing yet. */
export async function startGatewaySide(options: GatewayOptions): Promise<GatewaySide> {
  const process = await startGateway(options);
  const client = openClient(process.origin);
  const write = (search: JobSearch, extras?: JobExtras) =>
    writePost(client.host, '/graphql', writeJob(search, extras), options.apiKey ?? null);
  return {
    process,
    client,
    write,
    contend: (name, searchOf, extras) => ({
      name,
      process,
      client,
      request: (number) => write(searchOf(number), extras),
      check: (answer) => requireWhole(answer, options.registryUrls.length),
    }),
    async [Symbol.asyncDispose]() {
      await client[Symbol.asyncDispose]();
      await process[Symbol.asyncDispose]();
    },
  };
}

export interface BareSide extends AsyncDisposable {
  readonly process: Measurable;
  readonly client: Client;
  /** `path` "/shared": one fan-out for all who ask the same at once. */
  write(search: BareSearch, path?: '/' | '/shared'): Buffer;
  contend(name: string, searchOf: SearchOf<BareSearch>): Contender;
  /** It reads the request with this body and writes this answer, whatever was asked. */
  contendHot(name: string, answer: HotAnswer, body: string): Promise<Contender>;
}

export async function startBareSide(registryUrls: readonly string[]): Promise<BareSide> {
  const process = startBareProcess();
  const client = openClient(await process.call('start', { registryUrls }));
  const write = (search: BareSearch, path = '/') => writePost(client.host, path, JSON.stringify(search));
  return {
    process,
    client,
    write,
    contend: (name, searchOf) => ({
      name,
      process,
      client,
      request: (number) => write(searchOf(number)),
      check: (answer) => requireWhole(answer, registryUrls.length),
    }),
    async contendHot(name, answer, body) {
      await process.call('keepAnswer', answer);
      const request = writePost(client.host, '/hot', body);
      return {
        ...{ name, process, client },
        request: () => request,
        check: (received) => {
          if (received !== answer.text) throw new Error('the bare side must write the bytes that it was given');
        },
      };
    },
    async [Symbol.asyncDispose]() {
      await client[Symbol.asyncDispose]();
      await process[Symbol.asyncDispose]();
    },
  };
}
