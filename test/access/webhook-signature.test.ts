import { describe, expect, it } from 'vitest';
import { WebhookVerifier } from '../../src/access/webhook-signature.ts';
import { signWebhook } from '../server/webhook.ts';

const SECRET = 'a secret of one registry';
const START_MS = Date.UTC(2026, 0, 1);

function open(maxRemembered = 1_000) {
  const clock = { ms: START_MS };
  const secrets = new Map([
    ['one', SECRET],
    ['two', SECRET],
  ]);
  const verifier = new WebhookVerifier({ secrets, now: () => clock.ms, maxRemembered });
  const send = (text: string, signedAtMs = clock.ms, registry = 'one') =>
    verifier.verify(registry, signWebhook(SECRET, text, signedAtMs), Buffer.from(text));
  return { clock, verifier, send };
}

describe('a signature', () => {
  it('is good for 300 seconds to either side, and not for one more', () => {
    const { clock, send } = open();
    expect(send('a', clock.ms - 300_000)).toBe('VERIFIED');
    expect(send('b', clock.ms + 300_000)).toBe('VERIFIED');
    expect(send('c', clock.ms - 301_000)).toBe('STALE');
    expect(send('d', clock.ms + 301_000)).toBe('STALE');
  });

  it('is good once for as long as it would be good at all', () => {
    const { clock, send } = open();
    const signedAtMs = clock.ms + 300_000;
    expect(send('a', signedAtMs)).toBe('VERIFIED');
    for (; clock.ms <= START_MS + 600_000; clock.ms += 10_000) {
      // Others come meanwhile, and what is old is forgotten.
      expect(send(`at ${clock.ms}`)).toBe('VERIFIED');
      expect(send('a', signedAtMs)).toBe('REPEATED');
    }
    expect(send('a', signedAtMs)).toBe('STALE');
  });

  it('of one registry says nothing of another, though they share a secret', () => {
    const { send } = open();
    expect(send('a')).toBe('VERIFIED');
    expect(send('a', START_MS, 'two')).toBe('VERIFIED');
    expect(send('a', START_MS, 'nobody')).toBe('UNKNOWN');
  });

  it('is refused rather than another forgotten that is still good, until there is room again', () => {
    const { clock, send } = open(3);
    expect(['a', 'b', 'c', 'd'].map((text) => send(text))).toEqual(['VERIFIED', 'VERIFIED', 'VERIFIED', 'CROWDED']);
    expect(send('a')).toBe('REPEATED');
    clock.ms += 301_000;
    expect(send('d')).toBe('VERIFIED');
  });

  it('covers every byte as it came, be it text or not', () => {
    const { verifier } = open();
    const bytes = Uint8Array.of(0xff, 0x00, 0x0d, 0x0a, 0x80);
    const header = signWebhook(SECRET, bytes, START_MS);
    expect(verifier.verify('one', header, bytes.with(4, 0x81))).toBe('FORGED');
    expect(verifier.verify('one', header, bytes)).toBe('VERIFIED');
  });
});
