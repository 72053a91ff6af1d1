/** The settings of one registry. */
import * as z from 'zod';
import { REGISTRY_KINDS } from './config.ts';
import {
  age,
  checkedText,
  choice,
  count,
  flag,
  mapping,
  names,
  secretText,
  text,
  timer,
  unsupported,
} from './forms.ts';
import { checkProxyUrl, checkRegistryUrl } from './urls.ts';

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

/** An entry of `registries`. */
export const registry = mapping({
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
  allowPrivateNetwork: flag(false).meta({
    description:
      "Lets the name of its host lead to an address of an organisation's own network (RFC 1918, RFC 4193, RFC 6598).",
  }),
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
