import {
  type AuditEntry,
  type AuditEvent,
  type AuditOrigin,
  type AuditPage,
  type AuditTrail,
  AuditUnavailable,
  type CountedEntry,
} from '../../src/domain/audit.ts';

/** What it reads, with every member set. */
const EVENT: AuditEvent = {
  ...{ sequence: 1, atMs: 1_000, actor: 'tester', action: 'content.download', outcome: 'SUCCEEDED' },
  ...{ registryName: 'official', template: 'org/base', version: '1.2.0', requestId: 'request-1', detail: 'a word' },
  ...{ occurrences: 1, hash: 'f'.repeat(64), previousHash: '0'.repeat(64) },
};

/** A trail for what is not about the trail: it holds what it is told, and nothing outlives the test. */
export class HeldTrail implements AuditTrail {
  readonly entries: (AuditEntry & AuditOrigin)[] = [];
  readonly counted: (CountedEntry & { readonly actor: string })[] = [];
  /** Set: nothing can be recorded. */
  isDown = false;

  async append(entry: AuditEntry, origin: AuditOrigin): Promise<void> {
    await this.checkWritable();
    this.entries.push({ ...entry, ...origin });
  }

  count(entry: CountedEntry, actor: string): void {
    this.counted.push({ ...entry, actor });
  }

  async deny(denial: Pick<AuditEntry, 'registryName' | 'detail'>, origin: AuditOrigin): Promise<void> {
    if (!this.isDown) this.entries.push({ ...denial, ...origin, action: 'access.deny', outcome: 'DENIED' });
  }

  async checkWritable(): Promise<void> {
    if (this.isDown) throw new AuditUnavailable(new Error('the test says so'));
  }

  async read(): Promise<AuditPage> {
    return { events: [EVENT], hasNextPage: false, cursorOf: () => 'cursor', countAll: async () => 1 };
  }
}
