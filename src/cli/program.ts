/** The command line: which command does what. Each command's file is loaded when it is called. */
import { Command, CommanderError, Option } from 'commander';
import packageJson from '../../package.json' with { type: 'json' };
import type { AuditListOptions, AuditVerifyOptions } from './audit.ts';
import { EXIT_DONE, EXIT_USAGE, type Host } from './host.ts';
import type { KeyOptions } from './keys-create.ts';

/** Runs a command to its end and gives the exit code of the process. */
export async function runProgram(given: readonly string[], host: Host): Promise<number> {
  let exitCode = EXIT_DONE;
  const program = createProgram(host, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(given, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Commander ends help and version with 0, and every wrong use with 1.
    return error.exitCode === 0 ? EXIT_DONE : EXIT_USAGE;
  }
}

function createProgram(host: Host, setExitCode: (code: number) => void): Command {
  const program = new Command('marketplace')
    .description('One GraphQL endpoint over many registries of research environment templates.')
    .version(packageJson.version)
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => host.printLine(text.trimEnd()),
      writeErr: (text) => host.printErrorLine(text.trimEnd()),
    });
  program
    .command('serve')
    .description('start the gateway; MARKETPLACE_CONFIG names its configuration, without it there are demo registries')
    .option('--profile <name>', 'the profile of the configuration that is used (MARKETPLACE_PROFILE)')
    .option(
      '--workers <number>',
      'processes that serve at one address, for machines with many cores (MARKETPLACE_WORKERS)',
    )
    .action(async ({ profile, workers }: { readonly profile?: string; readonly workers?: string }) => {
      const demo = host.environment.MARKETPLACE_CONFIG ? null : await startDemo();
      const { serve } = await import('./serve.ts');
      const chosen = {
        ...(profile !== undefined && { MARKETPLACE_PROFILE: profile }),
        ...(workers !== undefined && { MARKETPLACE_WORKERS: workers }),
      };
      setExitCode(await serve({ ...host, environment: { ...host.environment, ...chosen } }, demo?.opened ?? null));
    });
  program
    .command('registry')
    .description('registries of the protocol')
    .enablePositionalOptions()
    .command('serve')
    .description('serve the templates in a folder')
    .argument('<folder>', 'a folder of templates (YAML)')
    .argument('[options...]', "options of the registry's own program; --help behind the folder shows them")
    .passThroughOptions()
    .allowUnknownOption()
    .action(async (folder: string, options: readonly string[]) => {
      const { serveRegistry } = await import('./registry-serve.ts');
      setExitCode(await serveRegistry([folder, ...options], host));
    });
  addCacheCommands(program, host, setExitCode);
  addKeyCommands(program, host, setExitCode);
  addAuditCommands(program, host, setExitCode);
  return program;
}

/** The registries of a gateway without a configuration: they start while the gateway itself is loaded, which takes as long. */
async function startDemo() {
  const { openDemoThread } = await import('../../registry/demo-thread.ts');
  const opened = openDemoThread();
  // Whoever waits for them is told; that they may fail before there is anybody is no defect of ours.
  opened.catch(() => undefined);
  // In an object, since they are not to be waited for here.
  return { opened };
}

function addAuditCommands(program: Command, host: Host, setExitCode: (code: number) => void): void {
  const audit = program
    .command('audit')
    .description('the audit trail, of the configuration that MARKETPLACE_CONFIG names');
  const format = () => new Option('--format <format>', 'what is printed').choices(['table', 'json']).default('table');
  audit
    .command('verify')
    .description('say whether it is as it was written, and end with 1 where it is not')
    .option('--from <sequence>', 'take the events before this one for granted')
    .option('--expect <sequence:hash>', 'a place that was noted elsewhere, which must be in it')
    .addOption(format())
    .action(async (options: AuditVerifyOptions) => {
      const { verifyAudit } = await import('./audit.ts');
      setExitCode(await verifyAudit(options, host));
    });
  audit
    .command('list')
    .description('print the newest events, the newest first')
    .option('--actor <actor>', 'who did it')
    .option('--action <action>', 'what was done')
    .option('--registry <name>', 'the registry it concerned')
    .option('--template <name>', 'the template it concerned')
    .option('--since <time>', 'from this time on')
    .option('--until <time>', 'before this time')
    .option('--limit <count>', 'how many at most', '50')
    .addOption(format())
    .action(async (options: AuditListOptions) => {
      const { listAudit } = await import('./audit.ts');
      setExitCode(await listAudit(options, host));
    });
  audit
    .command('export')
    .description('print each event as a line of JSON, the oldest first')
    .option('--from <sequence>', 'begin with this one')
    .action(async (options: { readonly from?: string }) => {
      const { exportAudit } = await import('./audit.ts');
      setExitCode(await exportAudit(options, host));
    });
}

function addKeyCommands(program: Command, host: Host, setExitCode: (code: number) => void): void {
  program
    .command('keys')
    .description('API keys of callers')
    .command('create')
    .description('make a key: it is shown once, with the entry for the configuration that knows it by its SHA-256')
    .option('--id <id>', 'whose key it is, as `viewer` and the records show it')
    .option('--roles <roles>', 'roles, with commas between: viewer, researcher, publisher, auditor, admin, or your own')
    .option('--groups <groups>', 'groups, with commas between')
    .addOption(new Option('--format <format>', 'what is printed').choices(['yaml', 'json']).default('yaml'))
    .action(async (options: KeyOptions) => {
      const { createKey } = await import('./keys-create.ts');
      setExitCode(createKey(options, host));
    });
}

function addCacheCommands(program: Command, host: Host, setExitCode: (code: number) => void): void {
  program
    .command('cache')
    .description("the cache of registries' answers")
    .command('warm')
    .description('fetch what is asked for most, before it is asked for')
    .argument('[queries...]', 'searches whose first page is fetched as well')
    .option(
      '--gateway <url>',
      'a gateway that runs, instead of the cache in the data directory (MARKETPLACE_GATEWAY; its key: MARKETPLACE_API_KEY)',
    )
    .addOption(new Option('--format <format>', 'what is printed').choices(['table', 'json']).default('table'))
    .action(
      async (queries: readonly string[], options: { readonly gateway?: string; readonly format: 'table' | 'json' }) => {
        const { warm } = await import('./cache-warm.ts');
        setExitCode(await warm(queries, options, host));
      },
    );
}
