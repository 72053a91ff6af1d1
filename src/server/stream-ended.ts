/** The gateway ends a stream before its time; the message says why. */
export class StreamEnded extends Error {
  override readonly name = 'StreamEnded';
}

/**
 * Why, and what a WebSocket is closed with: codes of RFC 6455, section 7.4.1, and of its registry, after which clients connect
 * again by themselves. The reason fits into a close frame (section 5.5: 123 bytes).
 */
export interface EndReason {
  readonly code: number;
  readonly reason: string;
}

/** 1001: going away. */
export const STOPPING: EndReason = { code: 1001, reason: 'the gateway is stopping' };
/** 1012: service restart. */
export const REPLACED: EndReason = { code: 1012, reason: 'the gateway has another configuration now' };
/** 1013: try again later. */
export const TOO_SLOW: EndReason = { code: 1013, reason: 'this client reads too slowly' };

/** What a client that is told more than a code is told of it. */
export function streamEnded({ reason }: EndReason): StreamEnded {
  return new StreamEnded(`The stream was ended because ${reason}. Subscribe again.`);
}
