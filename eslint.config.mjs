import tseslint from 'typescript-eslint';

/**
 * Who may import whom (docs/architecture.md): features import shared folders and the features listed beside them, shared folders
 * import no feature, and pure files import neither Nest nor TypeORM.
 */
const FEATURES = {
  'key-value': [],
  'config-lock': ['key-value'],
  snapshot: ['key-value'],
  'distributed-lock': [],
  content: [],
  'content-lock': ['content'],
  transfer: ['key-value'],
  'lock-command': [],
  'key-command': [],
};
const SHARED = [
  'auth',
  'command',
  'config',
  'database',
  'events',
  'health',
  'http',
  'lease',
  'logging',
  'memory',
  'metrics',
  'openapi',
  'precondition',
  'problem',
  'retention',
  'signals',
];
const PURE = [
  'src/precondition/entity-tag.ts',
  'src/precondition/condition.ts',
  'src/lease/lock-fence.ts',
  'src/auth/hmac-signature.ts',
  'src/auth/secret-box.ts',
  'src/auth/oidc-token.ts',
  'src/auth/oidc-access.ts',
  'src/auth/login-token.ts',
  'src/auth/basic-credentials.ts',
  'src/auth/native-access.ts',
  'src/key-value/rules/*.ts',
  'src/snapshot/rules/*.ts',
  'src/distributed-lock/rules/*.ts',
  'src/problem/problem.ts',
  'src/problem/catalogue.ts',
  'src/http/query-string.ts',
];

// Features lie directly under src/, so an import of one from elsewhere climbs first; `./content/…` is a folder of one's own.
const forbid = (folders, message) =>
  folders.map((folder) => ({ group: [`../${folder}/**`, `../../${folder}/**`], message }));
const importRules = (files, patterns) => ({ files, rules: { 'no-restricted-imports': ['error', { patterns }] } });

export default tseslint.config(
  { ignores: ['dist', 'node_modules', 'coverage', '.data'] },
  ...tseslint.configs.recommendedTypeChecked.map((config) => ({ ...config, files: ['**/*.ts'] })),
  {
    files: ['**/*.ts'],
    languageOptions: { parserOptions: { project: './tsconfig.json', tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      '@typescript-eslint/require-await': 'off',
      'no-console': 'error',
      eqeqeq: 'error',
    },
  },
  // Nest reads parameter types at run time, so injected classes must stay value imports.
  { files: ['src/**/*.ts'], rules: { '@typescript-eslint/consistent-type-imports': 'off' } },
  {
    files: ['test/**/*.ts', 'src/**/*.spec.ts', 'bench/**/*.ts', 'examples/**/*.ts'],
    rules: {
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/explicit-module-boundary-types': 'off',
      'no-console': 'off',
    },
  },
  ...Object.entries(FEATURES).map(([feature, allowed]) =>
    importRules(
      [`src/${feature}/**/*.ts`],
      forbid(
        Object.keys(FEATURES).filter((other) => other !== feature && !allowed.includes(other)),
        'Features meet only along the arrows of docs/architecture.md.',
      ),
    ),
  ),
  importRules(
    SHARED.map((folder) => `src/${folder}/**/*.ts`),
    forbid(Object.keys(FEATURES), 'Shared folders never import a feature.'),
  ),
  importRules(PURE, [{ group: ['@nestjs/*', 'typeorm'], message: 'Pure rules know neither Nest nor TypeORM.' }]),
);
