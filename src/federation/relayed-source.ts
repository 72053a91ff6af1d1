import type { Answer, CallOptions, RegistrySource } from '../domain/registry.ts';

/** Makes one call for a reader, in another way than the reader asked for. */
type Relay = <T>(call: (options: CallOptions) => Promise<Answer<T>>, options: CallOptions) => Promise<Answer<T>>;

/** The same registry, whose every read goes through `relay`. What rejects there rejects here. */
export function relaySource(source: RegistrySource, relay: Relay): RegistrySource {
  return {
    info: source.info,
    searchRows: (request, options) => relay((changed) => source.searchRows(request, changed), options),
    fetchTemplate: (name, version, options) =>
      relay((changed) => source.fetchTemplate(name, version, changed), options),
    fetchVersions: (name, options) => relay((changed) => source.fetchVersions(name, changed), options),
    fetchContent: (name, version, options) => relay((changed) => source.fetchContent(name, version, changed), options),
    fetchCategories: (options) => relay((changed) => source.fetchCategories(changed), options),
    publishTemplate: (document) => source.publishTemplate(document),
    noteClaimedName: (name) => source.noteClaimedName(name),
    resetCircuit: (operation) => source.resetCircuit(operation),
    recallTemplate: (name) => source.recallTemplate(name),
    peekRows: (request) => source.peekRows(request),
    canAnswer: () => source.canAnswer(),
    readHealth: () => source.readHealth(),
    readMetrics: (windowMs) => source.readMetrics(windowMs),
  };
}
