/**
 * The configuration file, defined once: what is checked, what is filled in, and the JSON Schema for editors all come from
 * here. Every leaf's error completes "must be ..."; ranges name their source.
 */
import * as z from 'zod';
import { REGISTRY_KINDS, TOKEN_ALGORITHMS } from './config.ts';
import { DURATION_PATTERN, parseDurationMs, parseSizeBytes, SIZE_PATTERN } from './quantities.ts';
import {
  checkHostPort,
  checkIssuerUrl,
  checkNetwork,
  checkOrigin,
  checkProxyUrl,
  checkRegistryUrl,
  HOST_PORT,
} from './urls.ts';

/** The longest a timer of Node can wait, a little under 25 days. */
const MAX_TIMER_MS = 2 ** 31 - 1;
/** Cache times are compared, not waited for; ten years is as good as for ever. */
const MAX_AGE_MS = 3650 * 86_400_000;
/** Shorter ones could be guessed from a cursor or a signature; `openssl rand -hex 16` gives twice that. */
const MIN_SECRET_LENGTH = 16;
/** A day at least: what is deleted sooner was hardly on record. */
const RETENTION = { min: 86_400_000, max: MAX_AGE_MS };
/** No document of the gateway is larger than a small fraction of it. */
const MAX_BODY_BYTES = 64 * 1024 * 1024;

/** More would be a mistake, not a cache. */
const MAX_CACHE_BYTES = 64 * 1024 * 1024 * 1024;

export const PROFILE_PATTERN = /^[a-z0-9][a-z0-9-]*$/;

export const UNSUPPORTED = 'left out: it is not supported by this version';

function mapping<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  return z.strictObject(shape, { error: 'a mapping of keys to values' });
}

/** A setting of the contract that a later version reads. */
function unsupported() {
  return z.never({ error: UNSUPPORTED }).optional().meta({ description: 'Not supported by this version.' });
}

function duration(defaultValue: string, range: { min: number; max: number }) {
  return durationOf(range).prefault(defaultValue);
}

function durationOf(range: { min: number; max: number }, orElse = '') {
  const error = `a duration such as 250ms, 2s, 15m, 24h or 7d, or a number of milliseconds, from ${range.min} to ${range.max} ms${orElse}`;
  return z
    .union(
      [
        z.number({ error }).int({ error }).nonnegative({ error }),
        z.string({ error }).regex(DURATION_PATTERN, { error }),
      ],
      {
        error,
      },
    )
    .transform((value) => parseDurationMs(value) ?? Number.NaN)
    .pipe(z.number({ error }).min(range.min, { error }).max(range.max, { error }));
}

const timer = (defaultValue: string) => duration(defaultValue, { min: 1, max: MAX_TIMER_MS });
/** 0: not at all. */
const age = (defaultValue: string) => duration(defaultValue, { min: 0, max: MAX_AGE_MS });

function size(defaultValue: string, maxBytes: number) {
  return sizeOf(maxBytes).prefault(defaultValue);
}

function sizeOf(maxBytes: number, orElse = '') {
  const error = `a size such as 512kb or 1mb, or a number of bytes, from 1 to ${maxBytes} bytes${orElse}`;
  return z
    .union(
      [z.number({ error }).int({ error }).nonnegative({ error }), z.string({ error }).regex(SIZE_PATTERN, { error })],
      { error },
    )
    .transform((value) => parseSizeBytes(value) ?? Number.NaN)
    .pipe(z.number({ error }).min(1, { error }).max(maxBytes, { error }));
}

function sizeOrOff(defaultValue: string, maxBytes: number) {
  return z
    .union([z.literal('off'), sizeOf(maxBytes, ', or off')], {
      error: `a size such as 512kb or 1mb, or a number of bytes, from 1 to ${maxBytes} bytes, or off`,
    })
    .prefault(defaultValue);
}

function count(range: { min: number; max: number }) {
  const error = `a whole number from ${range.min} to ${range.max}`;
  return z.number({ error }).int({ error }).min(range.min, { error }).max(range.max, { error });
}

function countOrOff(defaultValue: number) {
  const range = { min: 1, max: 1_000_000_000 };
  return z
    .union([z.literal('off'), count(range)], { error: `a whole number from ${range.min} to ${range.max}, or off` })
    .prefault(defaultValue);
}

function flag(defaultValue: boolean) {
  return z.boolean({ error: 'true or false' }).prefault(defaultValue);
}

/** Text of a line: what ends up in headers and logs must not break them. */
function text(expected = 'text of one line, not empty (quote it when it looks like a number)') {
  return z.string({ error: expected }).regex(/^[^\p{Cc}]+$/u, { error: expected });
}

function choice<const Values extends readonly string[]>(values: Values) {
  return z.enum(values, { error: `one of ${values.join(', ')}` });
}

const names = (expected: string) => z.array(text(expected), { error: `a list of ${expected}` });

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

const secretText = z
  .string({ error: `text of at least ${MIN_SECRET_LENGTH} characters` })
  .min(MIN_SECRET_LENGTH, { error: `text of at least ${MIN_SECRET_LENGTH} characters` });

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

const credentials = z.discriminatedUnion(
  'type',
  [
    mapping({ type: z.literal('token'), token: text('a token, not empty, of one line') }),
    mapping({
      type: z.literal('basic'),
      // RFC 7617, 2: the first colon ends the user name.
      username: text().regex(/^[^:]+$/u, { error: 'a user name without a colon' }),
      password: z.string({ error: 'a password (quote it when it looks like a number)' }),
    }),
    mapping({
      type: z.literal('ssh_key'),
      key: text('the path of an OpenSSH or PEM private key'),
      passphrase: z.string({ error: 'the passphrase of the key' }).optional(),
    }),
    mapping({ type: z.literal('passthrough') }).meta({
      description: "Each caller's own token (auth.jwt) is sent; answers are kept for that token alone.",
    }),
  ],
  {
    error:
      'credentials: { type: token, token }, { type: basic, username, password }, { type: ssh_key, key, passphrase } or { type: passthrough }',
  },
);

const rateLimitError = 'a mapping of requestsPerSecond, burst, concurrent and maxQueue, or off';

const registry = mapping({
  name: z
    .string({
      error:
        'a name of a-z, 0-9 and -, at most 63 characters, not beginning with - (quote it when it looks like a number)',
    })
    .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, {
      error: 'a name of a-z, 0-9 and -, at most 63 characters, not beginning with -',
    }),
  type: choice(['official', 'community', 'institutional', 'private']),
  kind: choice(REGISTRY_KINDS).prefault('marketplace').meta({ description: 'The adapter.' }),
  url: checkedText(checkRegistryUrl, 'an absolute http or https URL').meta({ format: 'uri' }),
  insecureHttp: flag(false).meta({ description: 'Allows plain http to a host that is not loopback.' }),
  namespace: text().optional().meta({ description: 'Names are compared within one. Default: one per kind.' }),
  priority: count({ min: -1_000_000, max: 1_000_000 }).optional().meta({
    description:
      'Resolution order, the lowest first; equal ones in the order of the file. Default: 100 institutional, 200 private, 300 official, 400 community.',
  }),
  credentials: credentials.optional(),
  timeouts: mapping({
    connect: timer('500ms'),
    search: timer('800ms'),
    template: timer('2s'),
    publish: timer('30s'),
    health: timer('2s'),
  })
    .prefault({})
    .meta({ description: 'Per attempt.' }),
  retry: mapping({
    attempts: count({ min: 0, max: 10 }).prefault(2),
    baseDelay: timer('100ms'),
    maxDelay: timer('2s'),
  }).prefault({}),
  rateLimit: z
    .union(
      [
        z.literal('off'),
        mapping({
          requestsPerSecond: count({ min: 1, max: 1_000_000 }).prefault(50),
          burst: count({ min: 1, max: 1_000_000 }).prefault(100),
          concurrent: count({ min: 1, max: 100_000 }).prefault(20),
          maxQueue: count({ min: 0, max: 1_000_000 }).prefault(200),
        }),
      ],
      { error: rateLimitError },
    )
    .prefault({}),
  circuit: mapping({
    errorThresholdPercentage: count({ min: 1, max: 100 }).prefault(50),
    volumeThreshold: count({ min: 1, max: 1_000_000 }).prefault(5),
    window: timer('10s'),
    resetTimeout: timer('10s'),
  }).prefault({}),
  cache: mapping({
    search: age('15m'),
    template: age('1h'),
    catalog: age('24h'),
    validation: unsupported(),
    staleWhileRevalidate: age('1m').meta({
      description: 'How long after its lifetime an answer is given at once and asked for again meanwhile.',
    }),
    staleIfError: age('24h'),
  })
    .prefault({})
    .meta({ description: '0 keeps nothing.' }),
  health: mapping({
    interval: timer('30s'),
    degradedLatency: timer('1s').meta({ description: 'A registry whose check takes so long counts as DEGRADED.' }),
    degradedErrorPercentage: count({ min: 1, max: 100 })
      .prefault(10)
      .meta({ description: 'So does one that so many calls of a hundred fail at, within a minute.' }),
  })
    .prefault({})
    .meta({ description: 'How a registry is checked, and what counts as DEGRADED.' }),
  tls: mapping({
    ca: text('the path of a PEM file').optional(),
    cert: text('the path of a PEM file').optional(),
    key: text('the path of a PEM file').optional(),
    servername: text('a host name').optional(),
  }).optional(),
  proxy: checkedText(checkProxyUrl, 'the http or https URL of a proxy').optional(),
  access: mapping({
    roles: names('names of roles').prefault([]),
    groups: names('names of groups').prefault([]),
  })
    .optional()
    .meta({ description: 'Who may see it: any of the roles or any of the groups. Absent: everyone.' }),
  claims: z
    .array(
      z.string({ error: 'a glob of names' }).regex(/^[^\p{Cc}]{1,200}$/u, { error: 'a glob of 1 to 200 characters' }),
      {
        error: 'a list of globs',
      },
    )
    .prefault([])
    .meta({ description: 'Names that only this registry may provide; * matches any characters, / too.' }),
  readOnly: z.boolean({ error: 'true or false' }).optional().meta({
    description: 'Takes no publications from here. Default: false; an official registry is always read-only.',
  }),
  popularityScale: z
    .number({ error: 'a number from 0 to 1000000' })
    .min(0, { error: 'a number from 0 to 1000000' })
    .max(1_000_000, { error: 'a number from 0 to 1000000' })
    .prefault(1),
  webhook: mapping({ secret: secretText })
    .optional()
    .meta({ description: 'Lets the registry say at /webhooks/<name> what has changed, signed with this secret.' }),
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

/** Text that a function checks: it gives what is expected instead, or null. */
function checkedText(check: (value: string) => string | null, expected: string) {
  return z.string({ error: expected }).superRefine((value, context) => {
    const fault = check(value);
    if (fault !== null) context.addIssue({ code: 'custom', message: fault });
  });
}
