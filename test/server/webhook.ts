/** Announces changes as registries do. */
import { createHmac } from 'node:crypto';

/** The header that a registry with this secret sends with a body; `atMs` on the clock of `Date.now()`. */
export function signWebhook(secret: string, body: string | Uint8Array, atMs = Date.now()): string {
  const time = Math.floor(atMs / 1000);
  return `t=${time},v1=${createHmac('sha256', secret).update(`${time}.`).update(body).digest('hex')}`;
}

/** Every announcement has another body, so that none is taken for a repetition within one second. */
let announced = 0;

export async function announceChange(origin: string, registry: string, secret: string, name: string): Promise<number> {
  announced += 1;
  const body = JSON.stringify({ event: 'template.changed', name, version: '1', delivery: announced });
  const { status } = await sendWebhook(origin, registry, body, signWebhook(secret, body));
  return status;
}

interface WebhookAnswer {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
}

/** `path` is what stands behind "/webhooks/". */
export async function sendWebhook(
  origin: string,
  path: string,
  body: string | Uint8Array<ArrayBuffer>,
  signature: string | null,
  method = 'POST',
): Promise<WebhookAnswer> {
  const response = await fetch(`${origin}/webhooks/${path}`, {
    method,
    headers: {
      'content-type': 'application/json',
      ...(signature !== null && { 'x-marketplace-signature': signature }),
    },
    ...(method !== 'GET' && { body }),
  });
  return { status: response.status, text: await response.text(), headers: response.headers };
}
