/** Says no to a request for a WebSocket, while it still is plain HTTP. */
import type { Duplex } from 'node:stream';
import { errorAnswer } from './responses.ts';

// Not by an import statement: see listen.ts.
const { STATUS_CODES } = process.getBuiltinModule('node:http');

export type Refusal = readonly [
  status: number,
  code: string,
  message: string,
  headers?: Readonly<Record<string, string>>,
];

/** Answers a request for a WebSocket that is not had, and ends its connection. */
export function refuseUpgrade(socket: Duplex, [status, code, message, headers = {}]: Refusal): void {
  const { contentType, body } = errorAnswer(status, code, message);
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    ...['Connection: close', `Content-Type: ${contentType}`, `Content-Length: ${Buffer.byteLength(body)}`],
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}
