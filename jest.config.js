/** Four kinds of tests: pure rules beside the source, the whole app on real PostgreSQL, the real client libraries, and a real browser. */
const shared = {
  testEnvironment: 'node',
  transform: { '^.+\\.ts$': ['ts-jest', { tsconfig: '<rootDir>/tsconfig.json' }] },
  // Relative imports carry the ".js" suffix that Node's own resolution wants; Jest resolves sources, so it is taken off again.
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  moduleFileExtensions: ['ts', 'js', 'json'],
  testPathIgnorePatterns: ['/node_modules/', '<rootDir>/dist/'],
  modulePathIgnorePatterns: ['<rootDir>/dist/'],
};
const withDatabase = {
  globalSetup: '<rootDir>/test/support/global-setup.js',
  globalTeardown: '<rootDir>/test/support/global-teardown.js',
};

module.exports = {
  maxWorkers: 2,
  // The module registry of each suite stays behind in its worker: beyond this a new worker is less work than the old one's memory.
  workerIdleMemoryLimit: '500MB',
  // For hangs alone: longer than what waits in a test, on a machine that is busy with others.
  testTimeout: 120_000,
  projects: [
    {
      ...shared,
      displayName: 'unit',
      testMatch: [
        '<rootDir>/src/**/*.spec.ts',
        '<rootDir>/bench/*.spec.ts',
        '<rootDir>/test/faults/checkers/*.spec.ts',
      ],
    },
    {
      ...shared,
      ...withDatabase,
      displayName: 'e2e',
      testMatch: ['<rootDir>/test/**/*.e2e-spec.ts', '<rootDir>/test/concurrency/*.spec.ts'],
    },
    {
      ...shared,
      ...withDatabase,
      displayName: 'clients',
      testMatch: ['<rootDir>/test/compatibility/**/*.client-spec.ts'],
    },
    {
      ...shared,
      displayName: 'browser',
      globalSetup: '<rootDir>/test/browser/global-setup.js',
      testMatch: ['<rootDir>/test/browser/**/*.browser-spec.ts'],
    },
  ],
};
