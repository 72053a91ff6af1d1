/** schema/publishing.graphql */
import { readDocument } from '../src/documents/read-document.ts';
import type { AuditEntry, AuditOutcome } from '../src/domain/audit.ts';
import { BadUserInput, type RegistryErrorView, RegistryFailure, TemplateWithdrawn } from '../src/domain/errors.ts';
import type { FederationView, Publication } from '../src/federation/answers.ts';
import { checkRegistryName, checkValue } from './arguments.ts';
import type { RequestContext } from './context.ts';

interface PublishTemplateArguments {
  readonly input: { readonly registry?: string | null; readonly document: string; readonly dryRun: boolean };
}

async function publishTemplate(_: unknown, { input }: PublishTemplateArguments, context: RequestContext) {
  context.requireRole('publisher');
  const { view } = context;
  const name = input.registry == null ? null : checkValue('input.registry', input.registry);
  const registry = view.registryToPublishTo(name, 'input.registry');
  const registryName = registry.source.info.name;
  const { document, faults } = readDocument(input.document);
  const entry = {
    action: 'template.publish',
    registryName,
    template: document?.name ?? null,
    version: document?.version ?? null,
  } as const;
  return await context.audit.perform(
    entry,
    async () =>
      document === null
        ? refuseDocument(registryName, faults)
        : await view.publishTemplate(registry, document, input.dryRun),
    (publication) => describeOutcome(publication, input.dryRun),
  );
}

/** As it is recorded. */
function describeOutcome({ error }: Publication, dryRun: boolean): Pick<AuditEntry, 'outcome' | 'detail'> {
  const detail = [...(dryRun ? ['dry run'] : []), ...(error === null ? [] : [error.type])].join(', ');
  return { outcome: judgeError(error), detail: detail === '' ? null : detail };
}

function judgeError(error: RegistryErrorView | null): AuditOutcome {
  if (error === null) return 'SUCCEEDED';
  const isDenied = error.type === 'READ_ONLY' || error.type === 'AUTHENTICATION' || error.type === 'AUTHORIZATION';
  return isDenied ? 'DENIED' : 'FAILED';
}

/** What is wrong with a document is an answer, as is what its registry finds wrong with it. */
function refuseDocument(registryName: string, faults: readonly string[]): Publication {
  const error = {
    ...new RegistryFailure('INVALID', registryName).toView(),
    message: faults.join(' '),
    guidance: 'Mend the document and publish it again. Nothing of it was sent.',
  };
  return { published: false, template: null, error };
}

interface ReportInstallationArguments {
  readonly input: {
    readonly registry: string;
    readonly template: string;
    readonly version: string;
    readonly outcome: 'SUCCEEDED' | 'FAILED';
    readonly message?: string | null;
  };
}

async function reportInstallation(_: unknown, { input }: ReportInstallationArguments, context: RequestContext) {
  context.requireIdentity();
  const { audit, gateway, view } = context;
  const registryName = checkRegistryName('input.registry', input.registry, view);
  const name = checkValue('input.template', input.template);
  const version = checkValue('input.version', input.version);
  const detail = [input.outcome, ...(input.message == null ? [] : [checkValue('input.message', input.message)])].join(
    ': ',
  );
  if (!(await isKnown(view, name, version, registryName))) {
    throw new BadUserInput(
      'input.template',
      '"input.template" and "input.version" must be of a template that the registry has; it has none of that name and version.',
    );
  }
  const entry = { action: 'installation.report', registryName, template: name, version, detail } as const;
  return await audit.perform(entry, async () => {
    gateway.countInstallation(input.outcome, { name, registryName });
    return { recorded: true };
  });
}

/** What was withdrawn since may have been installed before. */
async function isKnown(view: FederationView, name: string, version: string, registryName: string): Promise<boolean> {
  try {
    return (await view.lookUpTemplate(name, version, registryName)) !== null;
  } catch (error) {
    if (error instanceof TemplateWithdrawn) return true;
    throw error;
  }
}

export const publishingResolvers = { Mutation: { publishTemplate, reportInstallation } };
