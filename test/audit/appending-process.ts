/** A process that appends as fast as it can and says which events were acknowledged, until it is killed. */
import { StoredTrail } from '../../src/audit/stored-trail.ts';
import type { StorageLocation } from '../../src/config/config.ts';
import { openStorage } from '../../src/storage/storage.ts';

const QUIET = { info: () => undefined, warn: () => undefined, error: () => undefined };
const [name = '', secret = '', kind = '', place = ''] = process.argv.slice(2);
const location: StorageLocation = kind === 'sqlite' ? { kind, path: place } : { kind: 'postgres', url: place };
const storage = await openStorage(location, QUIET);
const settings = { secrets: [secret], retentionMs: null };
const trail = new StoredTrail({ storage, settings, anchorPath: null, log: QUIET });

for (let next = 0; ; ) {
  // Several at once, so that it is killed between commits, within them, and behind them.
  const appended = Array.from({ length: 8 }, async () => {
    const template = `${name}-${next}`;
    next += 1;
    await trail.append(
      { action: 'content.download', template, outcome: 'SUCCEEDED' },
      { actor: 'tester', requestId: null },
    );
    process.stdout.write(`${template}\n`);
  });
  await Promise.all(appended);
}
