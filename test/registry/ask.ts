/** Asking a registry in the tests of this folder. */
import { hash } from 'node:crypto';

/** Whether a parsed answer is an object. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The JSON of a GET, whatever its status. */
export async function getJson(url: string, headers: Record<string, string> = {}): Promise<unknown> {
  const response = await fetch(url, { headers });
  return response.json();
}

/** The names in a search answer, in order. */
export function listNames(body: unknown): string[] {
  if (!isRecord(body) || !Array.isArray(body.templates)) throw new Error(`no search answer: ${JSON.stringify(body)}`);
  return body.templates.map((template: unknown) => (isRecord(template) ? String(template.name) : ''));
}

/** The names of all matches, page by page. */
export async function searchNames(url: string, query: string): Promise<string[]> {
  const names: string[] = [];
  for (;;) {
    const page = listNames(await getJson(`${url}/api/v1/search?${query}&limit=5&offset=${names.length}`));
    names.push(...page);
    if (page.length === 0) return names;
  }
}

/** Publishes a document with its digest. */
export function publish(url: string, document: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${url}/api/v1/templates`, {
    method: 'POST',
    body: document,
    headers: {
      'content-type': 'application/yaml',
      'repr-digest': `sha-256=:${hash('sha256', document, 'base64')}:`,
      ...headers,
    },
  });
}
