/** The JSON Schema of the configuration file, for editors, from the definition that the gateway itself checks by. */
import * as z from 'zod';
import { definition, PROFILE_PATTERN } from './definition.ts';

type JsonSchema = z.core.JSONSchema.BaseSchema;

/** What an editor cannot know: the value behind a reference. */
const REFERENCE: JsonSchema = { type: 'string', pattern: '\\$\\{' };

/**
 * JSON Schema, draft 2020-12, of the file as it is written: durations as texts, defaults as in the contract, a reference
 * `${...}` wherever a number, a boolean, a choice or a text of a certain form is wanted. Rules between keys are not in it.
 */
export function makeJsonSchema(): object {
  const schema = z.toJSONSchema(definition, {
    io: 'input',
    override: ({ jsonSchema, path }) => {
      if (takesReference(jsonSchema, path)) allowReference(jsonSchema);
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
    },
  });
  return describeProfiles({ ...schema, title: 'Configuration of the marketplace gateway' });
}

/** A profile may have whatever the document has, in part: nothing is required of it, and nothing filled in. */
function describeProfiles(schema: JsonSchema): object {
  const { profiles, ...rest } = schema.properties ?? {};
  if (typeof profiles !== 'object') return schema;
  const profile = makePartial({ type: 'object', properties: rest, additionalProperties: false });
  const { registries } = profile.properties ?? {};
  if (typeof registries === 'object' && !Array.isArray(registries.items) && typeof registries.items === 'object') {
    // Each is merged into the one of its name.
    registries.items = { ...makePartial(registries.items), required: ['name'] };
  }
  const names = { propertyNames: { type: 'string', pattern: PROFILE_PATTERN.source } as const };
  return { ...schema, properties: { ...rest, profiles: { ...profiles, ...names, additionalProperties: profile } } };
}

/** Mappings are merged; lists come whole. */
function makePartial(schema: JsonSchema): JsonSchema {
  const { required: _, default: __, ...partial } = schema;
  if (partial.anyOf !== undefined) partial.anyOf = partial.anyOf.map(makePartial);
  if (partial.oneOf !== undefined) partial.anyOf = partial.oneOf.map(makePartial);
  delete partial.oneOf;
  const { properties } = partial;
  if (properties === undefined) return partial;
  const members = Object.entries(properties).map(([key, member]) => [
    key,
    typeof member === 'object' ? makePartial(member) : member,
  ]);
  return { ...partial, properties: Object.fromEntries(members) };
}

function takesReference(schema: JsonSchema, path: readonly (string | number)[]): boolean {
  // The type of credentials tells which keys belong to it, so it must be there to read.
  if (schema.const !== undefined) return false;
  if (schema.type === 'string') return refusesReference(schema);
  // Of a duration or a size, the text beside the number takes it.
  if (path.at(-2) === 'anyOf') return false;
  return schema.type === 'number' || schema.type === 'integer' || schema.type === 'boolean';
}

function refusesReference(schema: JsonSchema): boolean {
  if (schema.pattern !== undefined) return !new RegExp(schema.pattern, 'u').test('$'.concat('{VARIABLE}'));
  return [schema.format, schema.enum, schema.minLength].some((rule) => rule !== undefined);
}

/** Turns a leaf into "this, or a reference", its description and default staying outside, where editors look. */
function allowReference(schema: JsonSchema): void {
  const { description, default: defaultValue, ...leaf } = schema;
  for (const key of Object.keys(leaf)) delete schema[key];
  schema.anyOf = [leaf, REFERENCE];
  if (description !== undefined) schema.description = description;
  if (defaultValue !== undefined) schema.default = defaultValue;
}
