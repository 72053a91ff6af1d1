/** Writes schema/marketplace.schema.json anew: `npm run config:schema`, after every change of the definition. */
import { writeFileSync } from 'node:fs';
import { makeJsonSchema } from './json-schema.ts';

writeFileSync(
  new URL('../../schema/marketplace.schema.json', import.meta.url),
  `${JSON.stringify(makeJsonSchema(), null, 2)}\n`,
);
