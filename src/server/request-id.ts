/** The id that every answer carries, so that its lines are found in the log. */
import { randomBytes } from 'node:crypto';

// What a client may call its request; anything else gets an id of ours.
const REQUEST_ID = /^[A-Za-z0-9._-]{1,64}$/;

/** 96 random bits: no other process, and no earlier life of this one, begins its ids so. */
const PREFIX = `${randomBytes(12).toString('base64url')}.`;

let count = 0;

/** The header `X-Request-Id` as received, where it is one; otherwise an id that no other request has or will have. */
export function chooseRequestId(given: string | string[] | undefined): string {
  if (typeof given === 'string' && REQUEST_ID.test(given)) return given;
  count += 1;
  return PREFIX + count.toString(36);
}
