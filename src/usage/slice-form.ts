/** What a stored slice of counts must look like. */
import * as z from 'zod';
import type { UsageSlice } from '../telemetry/usage-part.ts';

const count = z.number().nonnegative();
const kinds = z.array(z.object({ code: z.string(), registryNames: z.array(z.string()), count }));

const SLICE: z.ZodType<UsageSlice> = z.object({
  startMs: z.number(),
  searches: z.object({
    counts: z.array(z.tuple([z.number().int().nonnegative(), count])),
    sumMs: count,
    maxMs: count,
  }),
  operations: count,
  failedOperations: kinds,
  errors: kinds,
  templates: z.array(z.object({ name: z.string(), registryName: z.string(), views: count, installations: count })),
  views: z.array(z.tuple([z.string(), count])),
  installations: z.array(z.object({ registryName: z.string(), outcome: z.enum(['SUCCEEDED', 'FAILED']), count })),
});

/** null: it is damaged, or of a version that counted otherwise. */
export function parseSlice(text: string): UsageSlice | null {
  try {
    const parsed = SLICE.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}
