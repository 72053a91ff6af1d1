/** Told what the one who runs the gateway may want to know. */
export interface StorageLog {
  info(detail: object, message: string): void;
  warn(detail: object, message: string): void;
  error(detail: object, message: string): void;
}
