/** The trail as one request writes to it. */
import type { AuditEntry, AuditOrigin, AuditTrail, CountedEntry, RequestAudit } from '../domain/audit.ts';
import { actorOf } from '../domain/audit.ts';
import type { Caller } from '../domain/caller.ts';

export class CallerAudit implements RequestAudit {
  readonly #trail: AuditTrail;
  readonly #origin: AuditOrigin;

  constructor(trail: AuditTrail, caller: Caller, requestId: string) {
    this.#trail = trail;
    this.#origin = { actor: actorOf(caller), requestId };
  }

  append(entry: AuditEntry): Promise<void> {
    return this.#trail.append(entry, this.#origin);
  }

  count(entry: CountedEntry): void {
    this.#trail.count(entry, this.#origin.actor);
  }

  read(...given: Parameters<AuditTrail['read']>): ReturnType<AuditTrail['read']> {
    return this.#trail.read(...given);
  }

  async perform<T>(
    entry: Omit<AuditEntry, 'outcome'>,
    act: () => Promise<T>,
    judge: (result: T) => Pick<AuditEntry, 'outcome' | 'detail'> = () => ({ outcome: 'SUCCEEDED' }),
  ): Promise<T> {
    await this.#trail.checkWritable();
    let result: T;
    try {
      result = await act();
    } catch (error) {
      await this.append({ ...entry, outcome: 'FAILED' });
      throw error;
    }
    await this.append({ ...entry, ...judge(result) });
    return result;
  }
}
