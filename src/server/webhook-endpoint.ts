/**
 * /webhooks/{registry}: a registry says that something of it has changed. Its signature is what lets it in, no API key. Until
 * that is verified nothing is done for the request but to read and hash it.
 */
import type { Logger } from 'pino';
import { checkValue } from '../../resolvers/arguments.ts';
import { type SignatureVerdict, type UsedSignatures, WebhookVerifier } from '../access/webhook-signature.ts';
import type { RegistryConfig } from '../config/config.ts';
import { ANONYMOUS_ACTOR, type AuditTrail, actorOfRegistry } from '../domain/audit.ts';
import { BadUserInput } from '../domain/errors.ts';
import type { Admission } from './admission.ts';
import type { GraphqlExchange } from './graphql-endpoint.ts';
import { parseJsonBody, readBody } from './request-body.ts';
import { RequestError } from './request-error.ts';
import { type Answer, errorAnswer, JSON_TYPE } from './responses.ts';

export interface WebhookEndpointOptions {
  readonly registries: readonly Pick<RegistryConfig, 'name' | 'access' | 'webhook'>[];
  /** Whether whoever proves nothing may see the registries that are not restricted. */
  readonly servesAnonymous: boolean;
  readonly admission: Pick<Admission, 'admit'>;
  /** Forgets what may be from before the change; gives how many kept answers that were. */
  readonly noteTemplateChange: (registryName: string, name: string) => Promise<number>;
  readonly audit: AuditTrail;
  readonly log: Logger;
  /** Signatures that are used up; it is added to. */
  readonly usedSignatures: UsedSignatures;
}

/** An announcement has three short members. */
const MAX_BODY_BYTES = 64 * 1024;
/** A registry's name has 63 characters at most; what was sent in its place need not fill the log. */
const MAX_LOGGED_LENGTH = 100;
const SIGNATURE_HEADER = 'x-marketplace-signature';
/** The one event of the protocol (contract, 4). */
const TEMPLATE_CHANGED = 'template.changed';
/** For whoever announces more than can be told from repetitions. */
const CROWDED_RETRY_SECONDS = 60;

/**
 * Makes the endpoint; it is given the request and what stands behind "/webhooks/". 202: nothing from before the change is
 * given out any more. A registry without a secret is none. One that not everybody may see is none to whoever does not sign
 * for it (contract, 5.11). Throws RateLimited for an address that has sent too many that were none.
 */
export function createWebhookEndpoint({
  registries,
  servesAnonymous,
  admission,
  noteTemplateChange,
  audit,
  log,
  usedSignatures,
}: WebhookEndpointOptions): (exchange: GraphqlExchange, registryName: string) => Promise<Answer> {
  const open = new Set(
    servesAnonymous ? registries.filter(({ access }) => access === null).map(({ name }) => name) : [],
  );
  const secrets = new Map(
    registries.flatMap(({ name, webhook }) => (webhook === null ? [] : [[name, webhook.secret]])),
  );
  const verifier = new WebhookVerifier({ secrets, used: usedSignatures });
  /** Refused ones count against their address; over its limit they have no line in the log and no event any more. */
  const noteRefusal = async (exchange: GraphqlExchange, registryName: string, verdict: SignatureVerdict) => {
    const { requestId } = exchange;
    if (verdict !== 'CROWDED') admission.admit(exchange, null);
    log.info({ registry: registryName.slice(0, MAX_LOGGED_LENGTH), verdict }, 'a webhook was refused');
    // Of a name that is none as well: who waits for the record to be written could tell the two apart by the time it takes.
    const about = secrets.has(registryName) ? registryName : null;
    await audit.deny({ registryName: about, detail: `webhook ${verdict}` }, { actor: ANONYMOUS_ACTOR, requestId });
  };
  return async (exchange, registryName) => {
    const { request, requestId } = exchange;
    if (request.method !== 'POST') {
      return errorAnswer(405, 'METHOD_NOT_ALLOWED', 'A webhook must be sent by POST.', { Allow: 'POST' });
    }
    try {
      const body = await readBody(request, MAX_BODY_BYTES);
      const sent = request.headers[SIGNATURE_HEADER];
      const header = Array.isArray(sent) ? sent.join() : sent;
      const verdict = verifier.verify(registryName, header, body);
      if (verdict !== 'VERIFIED') await noteRefusal(exchange, registryName, verdict);
      switch (verdict) {
        case 'VERIFIED': {
          const { name, version } = readChanged(parseJsonBody(body));
          let removed: number;
          try {
            removed = await noteTemplateChange(registryName, name);
            await audit.append(
              { action: 'template.change', registryName, template: name, version, outcome: 'SUCCEEDED' },
              { actor: actorOfRegistry(registryName), requestId },
            );
          } catch (error) {
            verifier.giveBack(registryName, header, body);
            throw error;
          }
          log.info({ registry: registryName, template: name, removed }, 'a registry has told of a change');
          return { status: 202, contentType: JSON_TYPE, body: `${JSON.stringify({ status: 'accepted' })}\n` };
        }
        case 'FORGED':
          return open.has(registryName)
            ? refuse('It must be signed with the secret of the registry.')
            : answerUnknown();
        case 'UNKNOWN':
          return answerUnknown();
        case 'STALE':
          return refuse('It must be signed at most 300 seconds ago. Set the clocks, or sign it anew.');
        case 'REPEATED':
          return errorAnswer(409, 'CONFLICT', 'This webhook came before, and is served once. Sign another one anew.');
        case 'CROWDED':
          return errorAnswer(429, 'RATE_LIMITED', 'There are more webhooks than can be served. Send them later.', {
            'Retry-After': String(CROWDED_RETRY_SECONDS),
          });
      }
    } catch (error) {
      if (error instanceof RequestError) return errorAnswer(error.status, 'BAD_USER_INPUT', error.message);
      throw error;
    }
  };
}

/** The template that an announcement is about. Throws BadUserInput. */
function readChanged(announced: unknown): { readonly name: string; readonly version: string | null } {
  if (typeof announced !== 'object' || announced === null) {
    throw new BadUserInput('body', 'The body must be a JSON object with the members "event", "name" and "version".');
  }
  const { event, name, version }: { event?: unknown; name?: unknown; version?: unknown } = announced;
  if (event !== TEMPLATE_CHANGED) {
    throw new BadUserInput('event', `"event" must be "${TEMPLATE_CHANGED}"; this gateway knows no other.`);
  }
  if (typeof name !== 'string') throw new BadUserInput('name', '"name" must be the name of a template.');
  if (version !== undefined && version !== null && typeof version !== 'string') {
    throw new BadUserInput('version', '"version" must be text.');
  }
  return { name: checkValue('name', name), version: version == null ? null : checkValue('version', version) };
}

function answerUnknown(): Answer {
  return errorAnswer(404, 'NOT_FOUND', 'There is no such webhook. Addresses are /webhooks/{registry}.');
}

/** RFC 9110, section 15.5.2: a 401 names the way to prove who one is. */
function refuse(message: string): Answer {
  return errorAnswer(401, 'UNAUTHENTICATED', `The webhook could not be verified. ${message}`, {
    'WWW-Authenticate': 'X-Marketplace-Signature',
  });
}
