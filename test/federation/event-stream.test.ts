import { describe, expect, it } from 'vitest';
import { EventStream } from '../../src/federation/event-stream.ts';

async function readAll(events: EventStream<string>): Promise<string[]> {
  const read: string[] = [];
  for await (const event of events) read.push(event);
  return read;
}

describe('a stream of events', () => {
  it('gives what was put before it was read and after, in order, up to its end', async () => {
    const events = new EventStream<string>();
    events.put('a', 'one');
    events.put('b', 'two');
    const all = readAll(events);
    await Promise.resolve();
    events.put('c', 'three');
    events.end();
    events.put('d', 'too late');
    expect(await all).toEqual(['one', 'two', 'three']);
  });

  it('keeps of what nobody read the newest of each key, in the place of the first', async () => {
    const events = new EventStream<string>();
    for (let round = 0; round < 1000; round += 1) for (const key of ['a', 'b']) events.put(key, `${key}${round}`);
    events.end();
    expect(await readAll(events)).toEqual(['a999', 'b999']);
  });

  it('fails behind what was put before, once', async () => {
    const events = new EventStream<string>();
    events.put('a', 'one');
    events.fail(new RangeError('lost'));
    expect(await events.next()).toEqual({ done: false, value: 'one' });
    await expect(events.next()).rejects.toThrow('lost');
    expect(await events.next()).toEqual({ done: true, value: undefined });
  });

  it('fails whoever waits for it', async () => {
    const events = new EventStream<string>();
    const reads = [events.next(), events.next()];
    events.fail(new RangeError('lost'));
    await expect(reads[0]).rejects.toThrow('lost');
    expect(await reads[1]).toEqual({ done: true, value: undefined });
  });

  it('can be left while a read waits, and tells of its end once', async () => {
    let closed = 0;
    const events = new EventStream<string>(() => {
      closed += 1;
    });
    const read = events.next();
    await events.return();
    expect(await read).toEqual({ done: true, value: undefined });
    expect(events.isClosed).toBe(true);
    events.end();
    events.fail(new RangeError('unheard'));
    await events.return();
    expect(closed).toBe(1);
  });

  it('drops what was not read when it is left', async () => {
    const events = new EventStream<string>();
    events.put('a', 'one');
    await events.return();
    expect(await events.next()).toEqual({ done: true, value: undefined });
  });
});
