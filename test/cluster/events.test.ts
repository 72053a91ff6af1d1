import { describe, expect, it } from 'vitest';
import { EventListeners } from '../../src/cluster/event-bus.ts';
import { type ClusterEvent, decodeEvent, encodeEvent } from '../../src/cluster/events.ts';
import { MessageSeal } from '../../src/cluster/message-seal.ts';
import { fixtureTemplate } from '../server/fixture-view.ts';

const full = fixtureTemplate({ name: 'org/base' });
const SECRET = 'for tests alone: 0123456789abcdef';

describe('what processes tell each other', () => {
  it('arrives as it was told, with what an invalidation is judged by and nothing else of a template', () => {
    const events: ClusterEvent[] = [
      { kind: 'CIRCUIT', registry: 'a', operation: 'SEARCH', state: 'OPEN' },
      { kind: 'HEALTH', registry: 'a', isReachable: false },
      { kind: 'PAUSE', budget: 'a', durationMs: 1_000 },
      { kind: 'INVALIDATION', invalidation: {} },
      { kind: 'INVALIDATION', invalidation: { registry: 'a', layer: 'SEARCH', template: 'x', after: 'ABSENT' } },
    ];
    for (const event of events) expect(decodeEvent(encodeEvent(event))).toEqual(event);
    const told = decodeEvent(encodeEvent({ kind: 'INVALIDATION', invalidation: { before: full } }));
    expect(told).toMatchObject({ invalidation: { before: { name: full.name, category: full.category } } });
    expect(JSON.stringify(told)).not.toContain(full.description);
  });

  it.each([
    '',
    '{',
    'null',
    '{"kind":"OTHER"}',
    '{"kind":"HEALTH","registry":"a"}',
    '{"kind":"PAUSE","budget":"a","durationMs":-1}',
  ])('is nothing when it is %o', (json) => {
    expect(decodeEvent(json)).toBeNull();
  });

  it('is heard by those who listen to its kind, until they stop', () => {
    const listeners = new EventListeners();
    const heard: string[] = [];
    const stop = listeners.subscribe('HEALTH', ({ registry }) => heard.push(registry));
    listeners.tell({ kind: 'HEALTH', registry: 'a', isReachable: true });
    listeners.tell({ kind: 'PAUSE', budget: 'b', durationMs: 1 });
    stop();
    listeners.tell({ kind: 'HEALTH', registry: 'c', isReachable: true });
    expect(heard).toEqual(['a']);
  });
});

describe('a seal', () => {
  const seal = new MessageSeal([SECRET], 'tests');
  const sealed = seal.seal('here', Buffer.from('text'));

  it('opens what was sealed with any of the secrets, in its place', () => {
    expect(seal.open('here', sealed)?.toString()).toBe('text');
    expect(new MessageSeal(['a new secret', SECRET], 'tests').open('here', sealed)?.toString()).toBe('text');
  });

  it('opens nothing that was changed, moved, cut, or sealed by somebody else or for another purpose', () => {
    expect(seal.open('there', sealed)).toBeNull();
    expect(seal.open('here', sealed.subarray(0, -1))).toBeNull();
    expect(seal.open('here', Buffer.alloc(3))).toBeNull();
    for (let index = 0; index < sealed.length; index += 1) {
      const changed = Buffer.from(sealed);
      changed[index] = (changed[index] ?? 0) ^ 1;
      expect(seal.open('here', changed)).toBeNull();
    }
    expect(new MessageSeal(['another'], 'tests').open('here', sealed)).toBeNull();
    expect(new MessageSeal([SECRET], 'others').open('here', sealed)).toBeNull();
  });
});
