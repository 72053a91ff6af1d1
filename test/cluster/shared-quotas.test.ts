import { describe, expect, it } from 'vitest';
import { CallerQuotas } from '../../src/access/caller-quotas.ts';
import { RateLimited } from '../../src/access/errors.ts';
import { RedisCluster } from '../../src/cluster/redis-cluster.ts';
import { shareUsage } from '../../src/live/shared-usage.ts';
import { RedisServer, redisIsMissing, waitUntil } from '../helpers/redis.ts';

const LIMITS = { requestsPerMinute: 20, costPerMinute: 1000, concurrent: null };

describe.skipIf(redisIsMissing !== null)('what a caller may use, over replicas', () => {
  it('is one for all of them, and each tells the others what was used of it', async () => {
    await using redis = await RedisServer.start();
    const log = { info: () => undefined, warn: () => undefined };
    const secrets = ['for tests alone: 0123456789abcdef'];
    const clusters = [0, 1, 2].map(() => new RedisCluster({ url: redis.url, secrets, log }));
    const replicas = clusters.map((cluster) => {
      const sharing = shareUsage(cluster);
      const quotas = new CallerQuotas(LIMITS, sharing);
      sharing.subscribe((reports) => quotas.hear(reports, Date.now()));
      return quotas;
    });
    try {
      await waitUntil(() => clusters.every(({ isUp }) => isUp));
      const [one, two, three] = replicas;
      const remaining = (quotas: CallerQuotas | undefined) =>
        quotas?.of('ada', Date.now()).readCost(Date.now())?.remaining;
      for (const quotas of [one, two]) {
        for (let index = 0; index < 10; index += 1) quotas?.of('ada', Date.now()).takeRequest(Date.now());
        quotas?.of('ada', Date.now()).chargeCost(300, Date.now());
      }
      await waitUntil(() => (remaining(three) ?? 1000) < 500 && (remaining(one) ?? 1000) < 500);
      expect(() => three?.of('ada', Date.now()).takeRequest(Date.now())).toThrow(RateLimited);
      three?.of('bob', Date.now()).takeRequest(Date.now());
    } finally {
      await Promise.all(clusters.map((cluster) => cluster.close()));
    }
  });
});
