/** The licences of what is in this program. scripts/bundle-worker.ts puts their texts in this file's place. */
export const thirdPartyNotices = (): string =>
  "This is run from its sources: LICENSE is Pumice's, each package below node_modules has its own.\n";
