/** One WebSocket of a client, as graphql-ws speaks over it: kept alive, and cut off where nobody reads at its other end. */
import { CloseCode, type WebSocket as ProtocolSocket } from 'graphql-ws';
import type { Logger } from 'pino';
import type { RawData, WebSocket } from 'ws';
import type { LiveTimes } from './live-times.ts';
import { isTooDeep } from './request-body.ts';
import { type EndReason, TOO_SLOW } from './stream-ended.ts';

/** RFC 6455, section 7.4.1. */
const INTERNAL_ERROR = 1011;

/** Bytes that may wait in this process to be sent: more than any answer has, less than many clients could make hurt. */
const MAX_UNSENT_BYTES = 8 * 1024 * 1024;

export class ClientSocket implements ProtocolSocket {
  readonly #socket: WebSocket;
  readonly #times: LiveTimes;
  readonly #log: Logger;
  readonly #ping: NodeJS.Timeout;
  #slow: NodeJS.Timeout | null = null;
  #unsent = 0;
  #isAlive = true;

  constructor(socket: WebSocket, times: LiveTimes, log: Logger) {
    this.#socket = socket;
    this.#times = times;
    this.#log = log;
    socket.on('pong', () => {
      this.#isAlive = true;
    });
    // A broken connection or a frame against the protocol: ws closes by itself.
    socket.on('error', () => undefined);
    socket.once('close', () => this.#stopTimers());
    this.#ping = setInterval(() => this.#checkAlive(), times.ping);
    this.#ping.unref();
  }

  get protocol(): string {
    return this.#socket.protocol;
  }

  /** Resolves when the message has left this process, or nobody is there any more. */
  send(data: string): Promise<void> {
    if (this.#socket.readyState !== this.#socket.OPEN) return Promise.resolve();
    if (this.#socket.bufferedAmount > MAX_UNSENT_BYTES) {
      this.#cutOff();
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      this.#unsent += 1;
      this.#slow ??= setTimeout(() => this.#cutOff(), this.#times.patience).unref();
      this.#socket.send(data, () => {
        this.#noteSent();
        resolve();
      });
    });
  }

  close(code?: number, reason?: string): void {
    this.#socket.close(code, reason);
    setTimeout(() => this.#socket.terminate(), this.#times.goodbye).unref();
  }

  sayGoodbye({ code, reason }: EndReason): void {
    this.close(code, reason);
  }

  onMessage(handle: (data: string) => Promise<void>): void {
    this.#socket.on('message', (data: RawData) => {
      if (Buffer.isBuffer(data) && isTooDeep(data)) {
        this.close(CloseCode.BadRequest, 'the message is nested too deep');
        return;
      }
      handle(String(data)).catch((error: unknown) => {
        this.#log.error({ err: error }, 'a WebSocket failed by a defect');
        this.close(INTERNAL_ERROR, 'the gateway failed');
      });
    });
  }

  #cutOff(): void {
    this.#log.info('a WebSocket was closed because its client reads too slowly');
    this.sayGoodbye(TOO_SLOW);
  }

  /** What is not sent yet waits from the last message that was on. */
  #noteSent(): void {
    this.#unsent -= 1;
    if (this.#unsent > 0) this.#slow?.refresh();
    else this.#forgetSlow();
  }

  #checkAlive(): void {
    if (!this.#isAlive) {
      this.#socket.terminate();
      return;
    }
    this.#isAlive = false;
    this.#socket.ping();
  }

  #stopTimers(): void {
    clearInterval(this.#ping);
    this.#forgetSlow();
  }

  #forgetSlow(): void {
    if (this.#slow !== null) clearTimeout(this.#slow);
    this.#slow = null;
  }
}
