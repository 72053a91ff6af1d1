/** What access refuses. Translated at the GraphQL border as the errors of src/domain are. */

/** No valid proof of who calls, where one is needed or a wrong one was given. */
export class Unauthenticated extends Error {
  override readonly name = 'Unauthenticated';
}

/** A known caller that lacks the role which something needs. */
export class Forbidden extends Error {
  override readonly name = 'Forbidden';
}

/** A document that could cause more work than one request may. */
export class QueryTooComplex extends Error {
  override readonly name = 'QueryTooComplex';
}
