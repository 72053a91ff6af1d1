/** What one operation counted and cost, so that it can be counted again when its answer is given again. */
import type {
  ConfigState,
  DatabaseView,
  GatewayReading,
  GatewayStatus,
  OperationNotes,
  SharingView,
} from '../../resolvers/context.ts';
import type { Template } from '../domain/template.ts';

type ViewedTemplate = Pick<Template, 'name' | 'registryName'>;

/** Stands for the gateway in one operation: passes on what it is told, and remembers it. */
export class OperationRecord implements GatewayStatus, OperationNotes {
  cost: number | null = null;
  isWhole = false;
  waitsFor: Promise<void> | null = null;
  refusal: Error | null = null;
  searches = 0;
  readonly views: ViewedTemplate[] = [];
  readonly #gateway: GatewayStatus;
  readonly #countOnceMore: (searches: number, tookMs: number) => void;

  /** `countOnceMore`: told of an operation that ended well, so many searches and what each took, in milliseconds. */
  constructor(gateway: GatewayStatus, countOnceMore: (searches: number, tookMs: number) => void) {
    this.#gateway = gateway;
    this.#countOnceMore = countOnceMore;
  }

  get version(): string {
    return this.#gateway.version;
  }

  get startedAtMs(): number {
    return this.#gateway.startedAtMs;
  }

  get isRestricted(): boolean {
    return this.#gateway.isRestricted;
  }

  readConfigState(): ConfigState {
    return this.#gateway.readConfigState();
  }

  readMetrics(windowMs: number, maySee: (registryName: string) => boolean): GatewayReading {
    return this.#gateway.readMetrics(windowMs, maySee);
  }

  readSharing(): SharingView | null {
    return this.#gateway.readSharing();
  }

  readDatabase(): DatabaseView | null {
    return this.#gateway.readDatabase();
  }

  countSubscriptions(): number {
    return this.#gateway.countSubscriptions();
  }

  countSearch(tookMs: number): void {
    this.searches += 1;
    this.#gateway.countSearch(tookMs);
  }

  countView({ name, registryName }: ViewedTemplate): void {
    this.views.push({ name, registryName });
    this.#gateway.countView({ name, registryName });
  }

  /** Of a mutation, which is never given again. */
  countInstallation(outcome: 'SUCCEEDED' | 'FAILED', template: ViewedTemplate): void {
    this.#gateway.countInstallation(outcome, template);
  }

  /** Counts the operation once more, with all that it counted: each search with its time in milliseconds. */
  countAgain(tookMs: number): void {
    this.#countOnceMore(this.searches, tookMs);
    for (const view of this.views) this.#gateway.countView(view);
  }
}
