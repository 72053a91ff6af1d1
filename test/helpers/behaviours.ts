/** The ways in which registries of the tests are unlike the protocol, by what a reader would call them. */
import type { CatalogBehaviour } from './faulty-registry-catalog.ts';

const ODD_ORDERS: Readonly<Record<string, CatalogBehaviour>> = {
  'ignores sorts': { ignoresSort: true },
  'orders ties by id': { tiesById: true },
  'puts missing values first': { missingFirst: true },
  'collates by locale': { collatesByLocale: true },
};

/** Registries that sort in a way of their own; each also as one that says it sorts totally. */
export const ODD_SORTERS: Readonly<Record<string, CatalogBehaviour>> = Object.fromEntries(
  Object.entries(ODD_ORDERS).flatMap(([name, behaviour]) => [
    [name, behaviour],
    [`${name} and says that it sorts totally`, { ...behaviour, claimsTotalOrder: true }],
  ]),
);

/** Registries that sort as the protocol demands and are odd otherwise. */
export const ODD_GIVERS: Readonly<Record<string, CatalogBehaviour>> = {
  'does not say that it sorts totally': {},
  'gives 10 rows at most': { claimsTotalOrder: true, capLimit: 10 },
  'gives 25 rows at most': { claimsTotalOrder: true, capLimit: 25 },
  'gives 25 rows at most and orders ties by id': { capLimit: 25, tiesById: true },
  'counts 9 too many': { claimsTotalOrder: true, miscountsBy: 9 },
  'counts 300 too many': { claimsTotalOrder: true, miscountsBy: 300 },
  'counts 9 too few': { claimsTotalOrder: true, miscountsBy: -9 },
  'counts nothing': { claimsTotalOrder: true, omitsCount: true },
  'counts nothing and gives 10 rows at most': { claimsTotalOrder: true, omitsCount: true, capLimit: 10 },
  'repeats entries': { claimsTotalOrder: true, repeatsEvery: 7 },
  'repeats entries and orders ties by id': { tiesById: true, repeatsEvery: 7 },
  'ignores names': { claimsTotalOrder: true, ignoresNames: true },
};
