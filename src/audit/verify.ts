/** Whether the trail is what the gateway wrote: every event, in its place, from the signed beginning to the signed end. */
import type { AuditEvent } from '../domain/audit.ts';
import type { Storage } from '../storage/storage.ts';
import type { AuditChainRow } from '../storage/tables.ts';
import type { Anchor } from './anchor-file.ts';
import { type ChainPlace, fromRow, readChain } from './chain.ts';
import { hashEvent } from './event-hash.ts';
import type { ChainSigner } from './signature.ts';

/** Events that are read at a time. */
const PAGE_SIZE = 1_000;

export interface Verification {
  /** Of the events that were verified; null: there are none. */
  readonly firstSequence: number | null;
  readonly head: ChainPlace;
  readonly events: number;
  /** What is wrong, in the order of the chain; empty: nothing is. */
  readonly faults: readonly TrailFault[];
}

interface TrailFault {
  /** Of the first event that is not as it was written. */
  readonly sequence: number;
  readonly problem: string;
}

export interface VerifyOptions {
  /** What the data directory remembers; null: nothing. */
  readonly anchor: Anchor | null;
  /** A place that was noted elsewhere, which the trail must hold; null: none was. */
  readonly expected: ChainPlace | null;
  /** Events before this one are taken for granted. */
  readonly fromSequence: number;
}

/**
 * Reads all of the trail. Beside it a gateway may append, and delete for age. What it finds: any member of an event that was
 * changed, events that were removed, added, doubled or put in another order, a beginning or an end that was moved, and events
 * of a writer without the secret. Throws what the database does.
 */
export async function verifyTrail(
  storage: Storage,
  signer: ChainSigner,
  { anchor, expected, fromSequence }: VerifyOptions,
): Promise<Verification> {
  const walk = await walkChain(storage, fromSequence, [anchor, expected]);
  const faults = [...walk.faults];
  const { chain, marks } = walk;
  const verdict = signer.verify(chain);
  if (verdict === 'FORGED')
    faults.push(faultAt(chain.head_sequence, 'the signature of the trail is not that of its ends'));
  if (verdict === 'UNKNOWN') {
    faults.push(faultAt(chain.head_sequence, 'the trail is signed with a secret that this gateway does not have'));
  }
  if (walk.faults.length === 0) {
    for (const mark of [anchor, expected]) {
      const problem = mark === null ? null : compareMark(mark, chain, marks);
      if (mark !== null && problem !== null)
        faults.push(faultAt(Math.min(mark.sequence, chain.head_sequence + 1), problem));
    }
  }
  return {
    firstSequence: walk.firstSequence,
    head: { sequence: chain.head_sequence, hash: chain.head_hash },
    events: walk.events,
    faults: faults.sort((one, other) => one.sequence - other.sequence),
  };
}

interface Walk {
  readonly chain: AuditChainRow;
  readonly firstSequence: number | null;
  readonly events: number;
  readonly faults: readonly TrailFault[];
  /** Hashes of the events that a mark names, by sequence. */
  readonly marks: ReadonlyMap<number, string>;
}

/** From the beginning to the end as they stand when that is reached. */
async function walkChain(
  storage: Storage,
  fromSequence: number,
  wanted: readonly (ChainPlace | null)[],
): Promise<Walk> {
  let first = await readChain(storage.db);
  let walker = new ChainWalker(first, fromSequence, wanted);
  for (;;) {
    // Read before the events: all up to its end are there then.
    const chain = await readChain(storage.db);
    const events = await readEvents(storage, walker.last);
    for (const event of events) walker.take(event);
    if (walker.isBroken) {
      const now = await readChain(storage.db);
      if (now.base_sequence === first.base_sequence) return walker.finish(now);
      // Events that were deleted for their age meanwhile are not missing.
      first = now;
      walker = new ChainWalker(first, fromSequence, wanted);
    } else if (events.length === 0) return walker.finish(chain);
  }
}

/** Up to the last that is there, so that what stands behind the signed end is found as well. */
async function readEvents({ db }: Storage, after: number): Promise<AuditEvent[]> {
  const rows = await db
    .selectFrom('audit_events')
    .selectAll()
    .where('sequence', '>', after)
    .orderBy('sequence')
    .limit(PAGE_SIZE)
    .execute();
  return rows.map(fromRow);
}

class ChainWalker {
  readonly #marks = new Map<number, string>();
  readonly #wanted: ReadonlySet<number>;
  readonly #faults: TrailFault[] = [];
  /** Null: taken for granted, since events before it are not looked at. */
  #previousHash: string | null;
  #events = 0;
  #firstSequence: number | null = null;
  #isBroken = false;
  last: number;

  constructor(chain: AuditChainRow, fromSequence: number, wanted: readonly (ChainPlace | null)[]) {
    const skips = fromSequence - 1 > chain.base_sequence;
    this.last = skips ? fromSequence - 1 : chain.base_sequence;
    this.#previousHash = skips ? null : chain.base_hash;
    this.#wanted = new Set(wanted.flatMap((mark) => mark?.sequence ?? []));
    if (!skips) this.#marks.set(chain.base_sequence, chain.base_hash);
  }

  /** The chain cannot be followed further. */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  take(event: AuditEvent): void {
    if (this.#isBroken) return;
    const problem = this.#judge(event);
    if (problem !== null) {
      this.#faults.push(problem);
      this.#isBroken = true;
      return;
    }
    if (event.action === 'audit.unproven') {
      this.#faults.push(faultAt(event.sequence, `the gateway found the trail unproven here (${event.detail ?? ''})`));
    }
    this.#previousHash = event.hash;
    this.last = event.sequence;
    this.#firstSequence ??= event.sequence;
    this.#events += 1;
    if (this.#wanted.has(event.sequence)) this.#marks.set(event.sequence, event.hash);
  }

  finish(chain: AuditChainRow): Walk {
    const { head_sequence, head_hash } = chain;
    if (!this.#isBroken) {
      if (this.last < head_sequence) this.#faults.push(faultAt(this.last + 1, 'it is missing, and all behind it'));
      else if (this.last > head_sequence)
        this.#faults.push(faultAt(head_sequence + 1, 'it stands behind the end of the trail'));
      else if (this.#previousHash !== null && this.#previousHash !== head_hash) {
        this.#faults.push(faultAt(head_sequence, 'it is not the event that the trail ended with'));
      }
    }
    return {
      chain,
      firstSequence: this.#firstSequence,
      events: this.#events,
      faults: this.#faults,
      marks: this.#marks,
    };
  }

  #judge(event: AuditEvent): TrailFault | null {
    const expected = this.last + 1;
    if (event.sequence !== expected) return faultAt(expected, 'it is missing');
    if (hashEvent(event) !== event.hash)
      return faultAt(expected, 'it was changed: its hash is not that of its content');
    if (this.#previousHash !== null && event.previousHash !== this.#previousHash) {
      return faultAt(expected, 'it does not follow from the event before it');
    }
    return null;
  }
}

/** What a place that was noted says of the trail; null: it is there. One that was deleted for its age says nothing. */
function compareMark(mark: ChainPlace, chain: AuditChainRow, marks: ReadonlyMap<number, string>): string | null {
  if (mark.sequence > chain.head_sequence) return `it is missing: the trail reached ${mark.sequence} once`;
  const found = marks.get(mark.sequence);
  return found === undefined || found === mark.hash ? null : 'it is another event than the one that was noted';
}

function faultAt(sequence: number, problem: string): TrailFault {
  return { sequence, problem };
}
