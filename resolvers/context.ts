/** What every resolver is given beside its arguments. One is made for each request. */
import type { RequestAudit } from '../src/domain/audit.ts';
import type { Caller } from '../src/domain/caller.ts';
import type { LatencySummary } from '../src/domain/registry.ts';
import type { Template } from '../src/domain/template.ts';
import type { FederationView } from '../src/federation/answers.ts';

/** What was counted over one window of time. */
export interface GatewayReading {
  readonly searches: number;
  readonly responseTime: LatencySummary;
  /** 0..1; null before the first operation. */
  readonly errorRate: number | null;
  /** The most frequent first. */
  readonly errors: readonly { readonly name: string; readonly count: number }[];
  /** By outcome, the most frequent first. */
  readonly installations: readonly { readonly name: string; readonly count: number }[];
  /** The most popular first. */
  readonly popularTemplates: readonly {
    readonly name: string;
    readonly registryName: string;
    readonly views: number;
    readonly installations: number;
  }[];
}

/** How the sharing with other processes of the same gateway does. */
export interface SharingView {
  readonly state: 'UP' | 'SLOW' | 'DOWN';
  /** On the clock of `Date.now()`. */
  readonly sinceMs: number;
  /** Processes, this one included, as far as was known when they could last be reached. */
  readonly replicas: number;
  /** Invalidations of this process that the others may not know yet. */
  readonly untoldInvalidations: number;
}

/** How the database does that the audit trail and the counts are kept in. */
export interface DatabaseView {
  readonly state: 'UP' | 'DOWN';
  /** On the clock of `Date.now()`. */
  readonly sinceMs: number;
}

/** What became of the last change of the configuration. */
export interface ConfigState {
  /** It was refused, and why, each fault a sentence with its place; null: what stands in the file is in use. */
  readonly refusal: {
    readonly atMs: number;
    readonly faults: readonly string[];
    /** The same without what was given, and without the folders of the machine. */
    readonly withoutValues: readonly string[];
  } | null;
  /** Keys whose values are in use after a restart alone. */
  readonly needsRestart: readonly string[];
}

/** The gateway as it shows and counts itself. */
export interface GatewayStatus {
  readonly version: string;
  /** On the clock of `Date.now()`. */
  readonly startedAtMs: number;
  /** Whether there are registries that not everybody may see. */
  readonly isRestricted: boolean;
  readConfigState(): ConfigState;
  /** What comes of registries is left out as far as `maySee` says no of their names. */
  readMetrics(windowMs: number, maySee: (registryName: string) => boolean): GatewayReading;
  /** null: this is the only process. */
  readSharing(): SharingView | null;
  /** null: nothing is kept in one. */
  readDatabase(): DatabaseView | null;
  /** Subscriptions, and other operations whose results are streamed, that are open now. */
  countSubscriptions(): number;
  countSearch(tookMs: number): void;
  countView(template: Pick<Template, 'name' | 'registryName'>): void;
  countInstallation(outcome: 'SUCCEEDED' | 'FAILED', template: Pick<Template, 'name' | 'registryName'>): void;
}

/** What is noted of one operation while it is executed. */
export interface OperationNotes {
  /** As src/access/document-cost.ts measures it; null until it was measured. */
  cost: number | null;
  /** Whether the operation came to its end without any error. */
  isWhole: boolean;
  /** What the answer waits for; never rejects. */
  waitsFor: Promise<void> | null;
  /** Why nothing of it was executed, though nothing is wrong with it: its caller has used up what it may. */
  refusal: Error | null;
}

export interface RequestContext {
  /** Shows exactly what the caller may see. */
  readonly view: FederationView;
  readonly caller: Caller;
  /** Counts what an operation may cost, before anything of it is done. Throws, and notes, where the caller may not spend that. */
  chargeCost(cost: number): void;
  /** Throws where the caller has not the role; that is on record before the answer is sent. */
  requireRole(role: string): void;
  /** Throws for an anonymous caller; that is on record in the same way. */
  requireIdentity(): void;
  readonly requestId: string;
  /** What has to be on record goes here before it is answered. */
  readonly audit: RequestAudit;
  /** The largest page that may be asked for. */
  readonly maxPageSize: number;
  /** "https://host" as the caller reached the gateway; null where its request did not say. */
  readonly origin: string | null;
  readonly gateway: GatewayStatus;
  readonly notes: OperationNotes;
}
