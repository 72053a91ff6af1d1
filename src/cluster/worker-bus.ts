/** Telling between the worker processes of one gateway on one machine: by the process that has started them. */
import { z } from 'zod';
import { type EventBus, EventListeners } from './event-bus.ts';
import { type ClusterEvent, decodeEvent, encodeEvent } from './events.ts';

/** A worker that does not answer in this time is stuck, or about to be replaced. */
const HEARD_MS = 1_000;

const message = z.discriminatedUnion('marketplace', [
  z.object({ marketplace: z.literal('EVENT'), id: z.int(), event: z.string() }),
  z.object({ marketplace: z.literal('HEARD'), id: z.int() }),
]);

/** Messages between a worker and the process that has started it. */
export interface WorkerChannel {
  /** Never throws; what cannot be sent is lost with the process that it was for. */
  send(message: object): void;
  onMessage(listener: (message: unknown) => void): void;
}

/** The worker's end. */
export class WorkerBus implements EventBus {
  readonly #channel: WorkerChannel;
  readonly #listeners = new EventListeners();
  readonly subscribe = this.#listeners.subscribe;
  /** Events that not all others have heard of yet. */
  readonly #untold = new Map<number, () => void>();
  #lastId = 0;

  constructor(channel: WorkerChannel) {
    this.#channel = channel;
    channel.onMessage((received) => {
      const read = message.safeParse(received);
      if (!read.success) return;
      const { data } = read;
      if (data.marketplace === 'HEARD') this.#untold.get(data.id)?.();
      else {
        const event = decodeEvent(data.event);
        if (event !== null) this.#listeners.tell(event);
        channel.send({ marketplace: 'HEARD', id: data.id });
      }
    });
  }

  /** Resolves when all others have heard of it, or after a second. */
  async publish(event: ClusterEvent): Promise<void> {
    this.#lastId += 1;
    const id = this.#lastId;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, HEARD_MS);
    this.#untold.set(id, resolve);
    this.#channel.send({ marketplace: 'EVENT', id, event: encodeEvent(event) });
    await promise;
    clearTimeout(timer);
    this.#untold.delete(id);
  }
}

/** One event on its way to the others. */
interface Relayed {
  readonly teller: WorkerChannel;
  readonly id: number;
  readonly waitsFor: Set<WorkerChannel>;
}

/** The other end: passes on to all others what one of them tells, and tells it when all have heard. */
export class WorkerRelay {
  readonly #workers = new Set<WorkerChannel>();
  readonly #relayed = new Map<number, Relayed>();
  #lastId = 0;

  add(worker: WorkerChannel): void {
    this.#workers.add(worker);
    worker.onMessage((received) => {
      const read = message.safeParse(received);
      if (!read.success) return;
      const { data } = read;
      if (data.marketplace === 'EVENT') this.#relay(worker, data.id, data.event);
      else this.#noteHeard(data.id, worker);
    });
  }

  /** It has ended: nobody waits for it. */
  remove(worker: WorkerChannel): void {
    this.#workers.delete(worker);
    for (const id of [...this.#relayed.keys()]) this.#noteHeard(id, worker);
  }

  #relay(teller: WorkerChannel, id: number, event: string): void {
    this.#lastId += 1;
    const relayId = this.#lastId;
    const waitsFor = new Set([...this.#workers].filter((worker) => worker !== teller));
    if (waitsFor.size === 0) {
      teller.send({ marketplace: 'HEARD', id });
      return;
    }
    this.#relayed.set(relayId, { teller, id, waitsFor });
    for (const worker of waitsFor) worker.send({ marketplace: 'EVENT', id: relayId, event });
  }

  #noteHeard(relayId: number, worker: WorkerChannel): void {
    const relayed = this.#relayed.get(relayId);
    if (relayed === undefined) return;
    relayed.waitsFor.delete(worker);
    if (relayed.waitsFor.size > 0) return;
    this.#relayed.delete(relayId);
    relayed.teller.send({ marketplace: 'HEARD', id: relayed.id });
  }
}
