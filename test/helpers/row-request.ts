import type { RowRequest } from '../../src/domain/registry.ts';
import { NO_CRITERIA } from '../../src/domain/search.ts';

/** The first window of everything there is, by name. */
export const BROWSE: RowRequest = Object.freeze({
  query: '',
  criteria: NO_CRITERIA,
  field: 'NAME',
  direction: 'ASC',
  offset: 0,
  limit: 50,
});
