/**
 * The configuration file, defined once: what is checked, what is filled in, and the JSON Schema for editors all come from
 * here, from the settings of a registry (registry-definition.ts) and from the forms that values have (forms.ts).
 */
import * as z from 'zod';
import { TOKEN_ALGORITHMS } from './config.ts';
import {
  checkedText,
  choice,
  count,
  countOrOff,
  duration,
  durationOf,
  flag,
  MAX_AGE_MS,
  MIN_SECRET_LENGTH,
  mapping,
  names,
  secretText,
  size,
  sizeOrOff,
  text,
  timer,
  unsupported,
} from './forms.ts';
import { registry } from './registry-definition.ts';
import { checkHostPort, checkIssuerUrl, checkNetwork, checkOrigin, HOST_PORT } from './urls.ts';

/** A day at least: what is deleted sooner was hardly on record. */
const RETENTION = { min: 86_400_000, max: MAX_AGE_MS };
/** No document of the gateway is larger than a small fraction of it. */
const MAX_BODY_BYTES = 64 * 1024 * 1024;

/** More would be a mistake, not a cache. */
const MAX_CACHE_BYTES = 64 * 1024 * 1024 * 1024;

export const PROFILE_PATTERN = /^[a-z0-9][a-z0-9-]*$/;

const searchSettings = mapping({
  timeout: timer('2s'),
  maxPageSize: count({ min: 1, max: 1000 }).prefault(100),
  window: count({ min: 1, max: 1000 }).prefault(50).meta({ description: 'Rows read of a registry at a time.' }),
  scan: count({ min: 1, max: 1_000_000 })
    .prefault(2000)
    .meta({ description: 'Rows read at most, for one page, of a registry that ignores filters.' }),
  drain: mapping({
    rows: count({ min: 1, max: 10_000_000 }).prefault(10_000),
    requests: count({ min: 1, max: 100_000 }).prefault(40),
  })
    .prefault({})
    .meta({ description: 'Read at most, for one page, of a registry that cannot sort.' }),
});

const secretError = `text of at least ${MIN_SECRET_LENGTH} characters, or a list of such texts`;

const serverSettings = mapping({
  search: searchSettings.prefault({}),
  limits: mapping({
    depth: count({ min: 1, max: 1000 }).prefault(12),
    cost: count({ min: 1, max: 1_000_000_000 }).prefault(5000),
    requestsPerMinute: countOrOff(600).meta({ description: 'Of one caller: an API key, a subject, or an address.' }),
    costPerMinute: countOrOff(300_000).meta({ description: 'Of all operations of one caller.' }),
    concurrent: countOrOff(100).meta({ description: 'Operations of one caller that are executed at one time.' }),
    fields: count({ min: 1, max: 100_000 }).prefault(1000),
    rootFields: count({ min: 1, max: 10_000 }).prefault(50),
    aliases: count({ min: 0, max: 100_000 }).prefault(100),
    directives: count({ min: 0, max: 100_000 }).prefault(100),
    tokens: count({ min: 10, max: 1_000_000 }).prefault(5000),
    bodyBytes: size('1mb', MAX_BODY_BYTES),
    subscriptions: count({ min: 1, max: 1_000_000 })
      .prefault(100)
      .meta({ description: 'Open at one time, of one caller; as many WebSockets.' }),
  }).prefault({}),
  introspection: flag(true),
  suggestions: z
    .boolean({ error: 'true or false' })
    .optional()
    .meta({ description: 'Whether an error names the fields that may have been meant. Default: as introspection.' }),
  persistedDocuments: mapping({
    manifest: text('the path of a manifest of documents'),
    required: flag(true).meta({ description: 'Whether other documents are refused.' }),
  })
    .optional()
    .meta({ description: 'Documents that clients may name by their SHA-256, from a file.' }),
  cors: mapping({
    origins: z
      .array(checkedText(checkOrigin, 'an origin such as https://portal.example.org, or *'), {
        error: 'a list of origins',
      })
      .min(1, { error: 'a list of at least one origin' }),
    credentials: flag(false),
    maxAge: duration('10m', { min: 0, max: 86_400_000 }),
  })
    .optional()
    .meta({ description: 'Pages of other sites that may read answers. Absent: none.' }),
  trustedProxies: z
    .array(checkedText(checkNetwork, 'an address or a network such as 10.0.0.0/8'), {
      error: 'a list of addresses and networks',
    })
    .prefault([])
    .meta({ description: 'Proxies whose X-Forwarded-For is believed.' }),
  strictTransportSecurity: z
    .union([z.literal('off'), duration('365d', { min: 1000, max: MAX_AGE_MS })], {
      error: 'a duration such as 365d, or off',
    })
    .prefault('off')
    .meta({
      description: 'Tells browsers that came by https (X-Forwarded-Proto) to come by https alone, for that long.',
    }),
  cache: mapping({
    memory: size('64mb', MAX_CACHE_BYTES),
    disk: sizeOrOff('256mb', MAX_CACHE_BYTES).meta({
      description: 'In the data directory, so that a restart begins with what was known; or off.',
    }),
    responses: sizeOrOff('32mb', MAX_CACHE_BYTES).meta({
      description: 'Finished answers to clients, with their encoded forms; or off.',
    }),
    warm: z
      .union([z.literal('off'), count({ min: 1, max: 200 })], { error: 'a whole number from 1 to 200, or off' })
      .prefault(100)
      .meta({
        description:
          'How many of the most used searches, and of the most used look-ups, are fetched before they are asked for.',
      }),
  })
    .prefault({})
    .meta({ description: 'How much is kept: answers of registries, and finished answers to clients.' }),
  secret: z
    .union([z.literal(''), secretText, z.array(secretText).min(1, { error: secretError })], { error: secretError })
    .prefault('')
    .meta({ description: 'Seals cursors; of a list the first writes. Empty: made once in the data directory.' }),
  admin: checkedText(checkHostPort, HOST_PORT)
    .optional()
    .meta({ description: 'Where /metrics is served, and nowhere else. Absent: on the port of everybody.' }),
});

const apiKey = mapping({
  id: text(),
  sha256: z
    .string({ error: 'the SHA-256 of the key as 64 hexadecimal digits' })
    .regex(/^[0-9a-fA-F]{64}$/, { error: 'the SHA-256 of the key as 64 hexadecimal digits' }),
  roles: names('names of roles').prefault([]),
  groups: names('names of groups').prefault([]),
});

const roleNames = names('names of roles');

const jwt = mapping({
  issuer: checkedText(checkIssuerUrl, 'the https URL of an issuer of tokens, exactly as its tokens have it in "iss"'),
  audience: z
    .union([text(), z.array(text()).min(1, { error: 'a name, or a list of names' })], {
      error: 'what tokens for this gateway have in "aud": a name, or a list of names',
    })
    .meta({ description: 'What tokens for this gateway have in "aud": any of these.' }),
  jwksUri: checkedText(checkIssuerUrl, 'the https URL of a JSON Web Key Set')
    .optional()
    .meta({ description: "Where the issuer's keys are. Default: what its /.well-known/openid-configuration says." }),
  algorithms: z
    .array(choice(TOKEN_ALGORITHMS), { error: `a list of ${TOKEN_ALGORITHMS.join(', ')}` })
    .min(1, { error: `a list of at least one of ${TOKEN_ALGORITHMS.join(', ')}` })
    .prefault(['RS256', 'PS256', 'ES256', 'EdDSA'])
    .meta({ description: 'The only ones by which a token may be signed.' }),
  // RFC 7519, 4.1.4: usually no more than a few minutes.
  clockTolerance: duration('30s', { min: 0, max: 300_000 }),
  rolesClaim: text()
    .prefault('roles')
    .meta({ description: 'The claim with the roles, or its place with dots between: realm_access.roles.' }),
  groupsClaim: text().prefault('groups'),
  roleMapping: z
    .record(z.string(), z.union([text(), roleNames], { error: 'a role, or a list of roles' }), {
      error: 'a mapping of values of the claim to roles',
    })
    .optional()
    .meta({
      description: 'Roles for the values of the claim; values that are not here are no roles. Absent: the values.',
    }),
});

/** The whole file. Parsing gives every default filled in, durations in milliseconds and sizes in bytes. */
export const definition = mapping({
  server: serverSettings.prefault({}),
  registries: z.array(registry, { error: 'a list of registries' }).min(1, { error: 'a list of at least one registry' }),
  audit: mapping({
    retention: z
      .union([z.literal('off'), durationOf(RETENTION, ', or off')], {
        error: `a duration such as 90d, or a number of milliseconds, from ${RETENTION.min} to ${RETENTION.max} ms, or off`,
      })
      .prefault('365d')
      .meta({ description: 'How long events of the audit trail are kept; off: for ever.' }),
  }).prefault({}),
  publish: mapping({
    defaultRegistry: text('the name of a registry')
      .optional()
      .meta({ description: 'Where a publication goes that names no registry.' }),
  }).prefault({}),
  auth: mapping({
    anonymous: choice(['allow', 'deny']).prefault('allow'),
    apiKeys: z.array(apiKey, { error: 'a list of API keys' }).prefault([]),
    jwt: jwt.optional().meta({ description: 'Lets callers sign in by tokens (JWT) that an issuer signs.' }),
  }).prefault({}),
  policy: unsupported(),
  profiles: z
    .record(z.string().regex(PROFILE_PATTERN), z.looseObject({}, { error: 'a mapping of keys to values' }), {
      error: 'a mapping of names (a-z, 0-9 and -) to what is laid over the rest',
    })
    .optional()
    .meta({ description: 'What is laid over the rest in certain surroundings, chosen by MARKETPLACE_PROFILE.' }),
});

export type ConfigDocument = z.output<typeof definition>;
export type RegistryDocument = ConfigDocument['registries'][number];
