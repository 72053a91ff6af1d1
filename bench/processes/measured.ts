/** Loaded in front of a program that knows nothing of being measured (`--import`). */
import { serveCommands } from './serve.ts';

serveCommands({});
