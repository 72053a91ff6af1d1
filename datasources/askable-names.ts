import { normalizeName } from '../src/domain/names.ts';

/** Longer names are none (see the wire), so that nobody need be asked for one. */
const MAX_NAME_LENGTH = 500;
// "." or ".." between slashes of either kind.
const DOT_SEGMENT = /(?:^|[/\\])\.\.?(?:$|[/\\])/;
const PLAIN_NAME = /^[\x20-\x24\x26-\x7e]*$/;

/**
 * Whether a registry could have something of this name. A part of it that is "." or ".." would lead to another address at
 * whoever decodes the path before it is followed, a proxy say; in any spelling that may be read so.
 */
export function isAskable(text: string): boolean {
  if (text === '' || text.length > MAX_NAME_LENGTH) return false;
  if (!text.isWellFormed() || /[\u0000-\u001f\u007f-\u009f]/.test(text)) return false;
  return !DOT_SEGMENT.test(PLAIN_NAME.test(text) ? text : normalizeName(text));
}
