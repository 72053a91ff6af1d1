/** What the peers share: the part of the gateway's schema that the job uses, and its merge. */
import { mergePages, type WireAnswer, type WireSearch } from '../processes/fan-out.ts';

export const TYPE_DEFINITIONS = /* GraphQL */ `
  scalar DateTime
  scalar SafeInt

  type Query {
    search(
      query: String
      orderBy: TemplateOrder
      first: Int
      after: String
      collapse: Boolean! = true
      timeoutMs: Int
    ): TemplateConnection
  }

  input TemplateOrder {
    field: TemplateOrderField!
  }

  enum TemplateOrderField {
    RELEVANCE
    POPULARITY
  }

  type TemplateConnection {
    totalCount: SafeInt
    pageInfo: PageInfo!
    nodes: [Template!]!
    registries: [RegistrySearchReport!]!
  }

  type PageInfo {
    hasNextPage: Boolean!
  }

  type Template {
    id: ID!
    name: String!
    version: String!
    title: String
    description: String
    category: String
    license: String
    author: String
    downloads: SafeInt
    rating: Float
    verified: Boolean
    updatedAt: DateTime
  }

  type RegistrySearchReport {
    registry: Registry!
    outcome: SearchOutcome!
    totalCount: SafeInt
  }

  type Registry {
    name: String!
  }

  enum SearchOutcome {
    OK
    TIMEOUT
  }
`;

export interface SearchArguments {
  readonly query: string;
  readonly orderBy: { readonly field: 'RELEVANCE' | 'POPULARITY' };
  readonly first: number;
}

/** What a registry is asked for. */
export function toWireSearch({ query, orderBy, first }: SearchArguments): WireSearch {
  return { query, order: orderBy.field === 'RELEVANCE' ? 'relevance' : 'popularity', rows: first };
}

/** The value of the field `search`: everything below it is read by GraphQL's own resolver for members. */
export function merge(answers: readonly WireAnswer[], search: WireSearch) {
  return mergePages(answers, search);
}

export interface PeerOptions {
  readonly registryUrls: readonly string[];
}
