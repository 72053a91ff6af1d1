import { describe, expect, it } from 'vitest';
import { TopUsed } from '../../src/federation/usage.ts';

const HOUR_MS = 60 * 60_000;

function createTop() {
  const clock = { nowMs: 1_800_000_000_000 };
  const top = new TopUsed<string>(() => clock.nowMs);
  const use = (key: string, times = 1) => {
    for (let time = 0; time < times; time += 1) top.note(key, () => key.toUpperCase());
  };
  return { clock, top, use, keys: () => top.list(10).map(({ key }) => key) };
}

describe('what is used most', () => {
  it('is listed by how often it was used, and not when that was once', () => {
    const { top, use } = createTop();
    use('often', 5);
    use('twice', 2);
    use('once');
    expect(top.list(10)).toEqual([
      { key: 'often', item: 'OFTEN', count: 5 },
      { key: 'twice', item: 'TWICE', count: 2 },
    ]);
    expect(top.list(1)).toHaveLength(1);
  });

  it('is what is used now rather than what was used before', () => {
    const { clock, use, keys } = createTop();
    use('before', 7);
    clock.nowMs += 3 * HOUR_MS;
    use('now', 4);
    expect(keys()).toEqual(['now', 'before']);
    clock.nowMs += 24 * HOUR_MS;
    expect(keys()).toEqual([]);
  });

  it('stays known among thousands that are used once, of which none is taken for frequent', () => {
    const { use, keys } = createTop();
    for (let index = 0; index < 5_000; index += 1) {
      use(`rare ${index}`);
      if (index % 10 === 0) use('frequent');
    }
    expect(keys()).toEqual(['frequent']);
  });

  it('is counted on when the scale of weights has to begin anew', () => {
    const { clock, top, use } = createTop();
    use('early', 1_000);
    clock.nowMs += 2_000 * HOUR_MS;
    use('late', 3);
    expect(top.list(10)).toEqual([{ key: 'late', item: 'LATE', count: 3 }]);
  });
});
