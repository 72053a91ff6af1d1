import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { decodeBody, readJson } from '../../datasources/http/body.ts';

const TEXT = '{"templates":[]}';
const ENCODERS = { gzip: gzipSync, br: brotliCompressSync, deflate: deflateSync, zstd: zstdCompressSync } as const;

function answer(body: Buffer, headers: Record<string, string>) {
  return { statusCode: 200, headers: { 'content-type': 'application/json', ...headers }, body };
}

describe('a body', () => {
  it.each(Object.entries(ENCODERS))('is read when compressed with %s', async (encoding, encode) => {
    const body = await decodeBody('r', answer(encode(Buffer.from(TEXT)), { 'content-encoding': encoding }), 1_000);
    expect(readJson('r', body)).toEqual({ templates: [] });
  });

  it.each(Object.entries(ENCODERS))('may not swell beyond its limit with %s', async (encoding, encode) => {
    const bomb = encode(Buffer.alloc(5_000_000, ' '));
    expect(bomb.length).toBeLessThan(100_000);
    const call = async () => decodeBody('r', answer(bomb, { 'content-encoding': encoding }), 1_000_000);
    await expect(call()).rejects.toMatchObject({ type: 'PROTOCOL' });
  });

  it.each(['compress', 'gzip, br', 'aes128gcm'])('is refused with the encoding "%s"', async (encoding) => {
    const call = async () => decodeBody('r', answer(Buffer.from(TEXT), { 'content-encoding': encoding }), 1_000);
    await expect(call()).rejects.toMatchObject({ type: 'PROTOCOL' });
  });

  it('is refused when its compression is broken', async () => {
    const broken = gzipSync(TEXT).subarray(0, 20);
    const call = async () => decodeBody('r', answer(broken, { 'content-encoding': 'gzip' }), 1_000);
    await expect(call()).rejects.toMatchObject({ type: 'PROTOCOL' });
  });

  it.each(['application/json; charset=utf-8', 'application/problem+json', 'text/json', 'Application/JSON'])(
    'is JSON when it says %s',
    async (type) => {
      const body = await decodeBody('r', answer(Buffer.from(`\ufeff${TEXT}`), { 'content-type': type }), 1_000);
      expect(readJson('r', body)).toEqual({ templates: [] });
    },
  );

  it.each(['text/html', 'text/plain', '', 'application/jsonp'])('is no JSON when it says "%s"', async (type) => {
    const body = await decodeBody('r', answer(Buffer.from(TEXT), { 'content-type': type }), 1_000);
    expect(() => readJson('r', body)).toThrow(expect.objectContaining({ type: 'PROTOCOL' }));
  });
});
