import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeNodeId, encodeTemplateId } from '../../resolvers/node-id.ts';

function encodeByJson(...parts: readonly string[]): string {
  return Buffer.from(JSON.stringify(parts)).toString('base64url');
}

const part = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc.array(fc.integer({ min: 0x20, max: 0x7f }), { maxLength: 40 }).map((codes) => String.fromCharCode(...codes)),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom('', 'org/base', '1.2.0', '"', '\\', '\u007f', '\u0000', 'ä', '\ud800', '🧬', 'n'.repeat(200)),
);

describe('the id of a template', () => {
  it('is its JSON in base64url, whatever is in it', () => {
    fc.assert(
      fc.property(part, part, part, (registryName, name, version) => {
        expect(encodeTemplateId(registryName, name, version)).toBe(encodeByJson('T', registryName, name, version));
      }),
      { numRuns: 2000 },
    );
  });

  it('is the same whichever character is in it, and wherever', () => {
    for (let code = 0; code < 0x180; code += 1) {
      for (const start of ['', 'a', 'ab']) {
        const name = start + String.fromCharCode(code).repeat(3);
        expect(encodeTemplateId('r', name, name)).toBe(encodeByJson('T', 'r', name, name));
      }
    }
  });

  it.each([1, 2, 3, 470, 490, 495, 496, 497, 500, 520, 1000])('of any length: %i', (length) => {
    const name = 'n'.repeat(length);
    const id = encodeTemplateId('r', name, 'v');
    expect(id).toBe(encodeByJson('T', 'r', name, 'v'));
    expect(decodeNodeId(id, 'id')).toEqual({ type: 'Template', registryName: 'r', name, version: 'v' });
  });
});
