/** How long what is told as it happens waits for its clients. Milliseconds. */
export interface LiveTimes {
  /** For a client to say who it is, on a WebSocket. */
  readonly init: number;
  /** Between two pings of a WebSocket; one that has not answered a ping by the next is gone. */
  readonly ping: number;
  /** For a client to take one message. */
  readonly patience: number;
  /** Between two looks whether who listens may still: a token expires. */
  readonly recheck: number;
  /** For a client to take a goodbye, before its connection is cut. */
  readonly goodbye: number;
  /** For an operation that ends by itself, when the gateway stops. */
  readonly finish: number;
}

/** The first two are graphql-ws's own, and less than the idle times of common proxies; the last leaves time of a stop's ten seconds. */
export const LIVE_TIMES: LiveTimes = {
  init: 3000,
  ping: 12_000,
  patience: 10_000,
  recheck: 60_000,
  goodbye: 1000,
  finish: 5000,
};
