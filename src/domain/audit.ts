/** The audit trail: what is on record of who did what. */
import type { Caller } from './caller.ts';

export type AuditOutcome = 'SUCCEEDED' | 'DENIED' | 'FAILED';

/** What is recorded. Those of `CountedAction` happen too often for an event each. */
type AuditAction =
  | CountedAction
  // Somebody was refused: no proof of who calls, or a role that is missing (`detail` says which).
  | 'access.deny'
  | 'cache.invalidate'
  | 'circuit.reset'
  | 'template.publish'
  | 'installation.report'
  // The bytes of a template's document were given out.
  | 'content.download'
  // A registry said by its webhook that a template has changed.
  | 'template.change'
  // The gateway runs with another configuration than before; `detail` has its fingerprint.
  | 'configuration.change'
  // Events were deleted for their age.
  | 'audit.prune'
  // The trail up to here was signed by no secret that the gateway has.
  | 'audit.unproven';

export type CountedAction =
  | 'template.view'
  // A registry was called with the credentials that are configured for it.
  | 'credentials.use'
  // Refusals of one kind beyond those that have an event each.
  | 'access.deny'
  | 'audit.read';

/** What happened. A member that is left out is null. */
export interface AuditEntry {
  readonly action: AuditAction;
  readonly registryName?: string | null;
  readonly template?: string | null;
  readonly version?: string | null;
  readonly outcome: AuditOutcome;
  /** A few words for the auditor; never a credential. */
  readonly detail?: string | null;
}

/** What is counted for each caller and registry. */
export interface CountedEntry {
  readonly action: CountedAction;
  readonly registryName: string | null;
  readonly outcome: AuditOutcome;
}

/** Who did it, and in which request. */
export interface AuditOrigin {
  /** As `actorOf` gives it. */
  readonly actor: string;
  readonly requestId: string | null;
}

/** An event as it stands in the trail. */
export interface AuditEvent {
  /** From 1, without gaps. */
  readonly sequence: number;
  /** On the clock of `Date.now()`, of the machine that recorded it. */
  readonly atMs: number;
  readonly actor: string;
  readonly action: string;
  readonly registryName: string | null;
  readonly template: string | null;
  readonly version: string | null;
  readonly outcome: AuditOutcome;
  readonly requestId: string | null;
  readonly detail: string | null;
  /** How many times it happened; more than one for counted events alone. */
  readonly occurrences: number;
  /** SHA-256, lower-case hex, over all the other members. */
  readonly hash: string;
  /** `hash` of the event before it. */
  readonly previousHash: string;
}

/** Every member that is not null must fit; times include `sinceMs` and exclude `untilMs`. */
export interface AuditCriteria {
  readonly actor: string | null;
  readonly action: string | null;
  readonly registryName: string | null;
  readonly template: string | null;
  readonly sinceMs: number | null;
  readonly untilMs: number | null;
}

/** A page of events, the newest first. */
export interface AuditPage {
  readonly events: readonly AuditEvent[];
  readonly hasNextPage: boolean;
  /** Opens the page behind this event, for the same criteria. */
  cursorOf(event: AuditEvent): string;
  /** How many events fit. Reads the database anew. */
  countAll(): Promise<number>;
}

/** What records. All of it may be called from many requests at once. */
export interface AuditTrail {
  /** Resolves when the event is durable: what it records is acknowledged after that, never before. Throws AuditUnavailable. */
  append(entry: AuditEntry, origin: AuditOrigin): Promise<void>;
  /** Adds to this minute's count for the actor and the registry, which is written later. Costs next to nothing. */
  count(entry: CountedEntry, actor: string): void;
  /**
   * Records that somebody was refused: an event each, or a count where they come too often. Resolves when the event is durable,
   * or was counted. Never rejects: whoever is refused stays refused when the trail cannot be written.
   */
  deny(denial: Pick<AuditEntry, 'registryName' | 'detail'>, origin: AuditOrigin): Promise<void>;
  /** Throws AuditUnavailable where it is known that nothing can be recorded now: asked before something is done for good. */
  checkWritable(): Promise<void>;
  /**
   * Events that concern no registry, or one of `registryNames`. `after` is a cursor or null; throws BadCursor for one that is
   * none of this trail's for these criteria, AuditUnavailable.
   */
  read(
    criteria: AuditCriteria,
    page: { readonly first: number; readonly after: string | null },
    registryNames: readonly string[],
  ): Promise<AuditPage>;
}

/** The trail as one request writes to it: who and in which request is filled in. */
export interface RequestAudit {
  /** As of `AuditTrail`. */
  append(entry: AuditEntry): Promise<void>;
  /** As of `AuditTrail`. */
  count(entry: CountedEntry): void;
  /** As of `AuditTrail`. */
  readonly read: AuditTrail['read'];
  /**
   * Does something that has to be on record: refuses before it is done where nothing can be recorded, and records after it
   * whether it succeeded: by `judge` where what `act` gives may say otherwise. Throws AuditUnavailable, or what `act` throws.
   */
  perform<T>(
    entry: Omit<AuditEntry, 'outcome'>,
    act: () => Promise<T>,
    judge?: (result: T) => Pick<AuditEntry, 'outcome' | 'detail'>,
  ): Promise<T>;
}

/** Nothing can be recorded now, so that what has to be on record is not done, or not acknowledged. */
export class AuditUnavailable extends Error {
  override readonly name = 'AuditUnavailable';

  constructor(cause: unknown) {
    super(
      'The audit trail must record this and cannot be written now. Try again later; whoever runs the gateway finds the reason in its log.',
      { cause },
    );
  }
}

export const ANONYMOUS_ACTOR = 'anonymous';
/** What the gateway does by itself. */
export const GATEWAY_ACTOR = 'gateway';
const REGISTRY_PREFIX = 'registry:';
const SUBJECT_PREFIX = 'subject:';

/**
 * The name of a caller in the trail: the subject, so that it is what `viewer { subject }` shows. One that could be taken for
 * another kind of actor is written with "subject:" before it, whoever chose it.
 */
export function actorOf({ authenticated, subject }: Pick<Caller, 'authenticated' | 'subject'>): string {
  if (!authenticated) return ANONYMOUS_ACTOR;
  const name = subject ?? '';
  const isReserved =
    name === '' ||
    name === ANONYMOUS_ACTOR ||
    name === GATEWAY_ACTOR ||
    name.startsWith(REGISTRY_PREFIX) ||
    name.startsWith(SUBJECT_PREFIX);
  return isReserved ? SUBJECT_PREFIX + name : name;
}

/** A registry that speaks for itself, by its webhook. */
export function actorOfRegistry(registryName: string): string {
  return REGISTRY_PREFIX + registryName;
}
