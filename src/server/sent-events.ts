/** Server-sent events on their way to a client: no faster than it takes them, and not for longer than it does. */
import type { ServerResponse } from 'node:http';

/** What is sent, one message each, from a reader that makes the next one when this one was taken. */
export class Pace {
  #taken: PromiseWithResolvers<void> | null = null;

  /** Settles when the last message was taken; the next one is under way from then on. */
  async whenWanted(): Promise<void> {
    await this.#taken?.promise;
    this.#taken = Promise.withResolvers();
  }

  noteTaken(): void {
    this.#taken?.resolve();
  }
}

export interface SentEventsOptions {
  readonly pace: Pace;
  /** How long one message may take. */
  readonly patienceMs: number;
  /** How long the goodbye of a client that was too slow may take. */
  readonly goodbyeMs: number;
  /** Told once of a client that did not take a message in time: what comes from then on is not waited for. */
  readonly onTooSlow: () => void;
}

/** Sends every message of `body`, then ends the response. Resolves when the client has all of it or has left. */
export async function sendEvents(
  response: ServerResponse,
  body: AsyncGenerator<string, void, undefined>,
  { pace, patienceMs, goodbyeMs, onTooSlow }: SentEventsOptions,
): Promise<void> {
  const writer = new Writer(response, patienceMs);
  const leave = () => {
    writer.giveUp();
    pace.noteTaken();
    void body.return();
  };
  response.once('close', leave);
  if (response.destroyed) leave();
  let isLate = false;
  for await (const message of body) {
    if (isLate) response.write(message);
    else if ((await writer.write(message)) === 'LATE') {
      isLate = true;
      onTooSlow();
    }
    // A comment keeps the connection alive: nobody waits for it to be taken.
    if (isLate || !message.startsWith(':')) pace.noteTaken();
  }
  response.off('close', leave);
  response.end();
  if (isLate) setTimeout(() => response.destroy(), goodbyeMs).unref();
}

/** SENT: it has left this process; LATE: it has not in time; GONE: there is nobody to send it to. */
type Outcome = 'SENT' | 'LATE' | 'GONE';

/** Writes one message after the other. */
class Writer {
  readonly #response: ServerResponse;
  readonly #patienceMs: number;
  #settle: ((outcome: Outcome) => void) | null = null;

  constructor(response: ServerResponse, patienceMs: number) {
    this.#response = response;
    this.#patienceMs = patienceMs;
  }

  async write(message: string): Promise<Outcome> {
    if (!this.#response.writable) return 'GONE';
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    this.#settle = resolve;
    const timer = setTimeout(resolve, this.#patienceMs, 'LATE');
    this.#response.write(message, (error) => resolve(error ? 'GONE' : 'SENT'));
    const outcome = await promise;
    clearTimeout(timer);
    return outcome;
  }

  /** Whoever was written to has left. */
  giveUp(): void {
    this.#settle?.('GONE');
  }
}
