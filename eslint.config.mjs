import { join } from 'node:path';
import nx from '@nx/eslint-plugin';
import { createNodeResolver, importX } from 'eslint-plugin-import-x';
import tseslint from 'typescript-eslint';

/** Which layer may import which: `apps → edge libs → mapping → domain`, with the wire contracts beside them. */
const LAYERS = {
  domain: ['domain'],
  contracts: ['contracts'],
  mapping: ['mapping', 'contracts', 'domain'],
  edge: ['edge', 'mapping', 'contracts', 'domain'],
  app: ['edge', 'mapping', 'contracts', 'domain'],
  testing: ['testing', 'edge', 'mapping', 'contracts', 'domain'],
  tool: ['tool', 'testing', 'edge', 'mapping', 'contracts', 'domain'],
};

/** The edge libraries in order: each may import those before it. */
const EDGE_LIBRARIES = [
  'platform',
  'observability',
  'job-store',
  'config',
  'subscriptions',
  'armada-credentials',
  'auth',
  'armada-client',
  'runtime',
];

/** The rooms of a library or an app, and which of the others each may import. `testing` may import all, and is imported by specs alone. */
const ROOMS = {
  'libs/job-store/src': {
    client: [],
    codec: [],
    scripts: ['client', 'codec'],
    redis: ['client', 'codec', 'scripts'],
  },
  'libs/subscriptions/src': {
    interest: [],
    sync: [],
    budget: ['interest', 'sync'],
    assignment: ['interest', 'sync', 'budget'],
  },
  'apps/query/src': {
    store: [],
    upstream: ['store'],
    'legacy-api': ['store', 'upstream'],
    'jobs-api': ['store', 'upstream'],
  },
  'apps/query/src/jobs-api': {
    cache: [],
    methods: ['cache'],
  },
};

const PURE = ['libs/job-state', 'libs/redis-keys', 'libs/wire-mapping'];
const SPECS = '**/*.spec.ts';

export default tseslint.config(
  {
    ignores: [
      'dist/**',
      'libs/contracts/src/generated/**',
      'tmp/**',
      '**/.venv/**',
      'reports/**',
      'tools/lua-text.d.ts',
    ],
  },
  ...tseslint.configs.strictTypeChecked,
  {
    files: ['**/*.ts'],
    plugins: { '@nx': nx, 'import-x': importX },
    settings: {
      // What a library imports is not read with each project that imports the library.
      'import-x/external-module-folders': ['node_modules', 'libs'],
      'import-x/parsers': { '@typescript-eslint/parser': ['.ts'] },
      'import-x/resolver-next': [
        createNodeResolver({
          extensions: ['.ts', '.js'],
          extensionAlias: { '.js': ['.ts', '.js'] },
          tsconfig: { configFile: join(import.meta.dirname, 'tsconfig.base.json') },
        }),
      ],
    },
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@nx/enforce-module-boundaries': [
        'error',
        {
          enforceBuildableLibDependency: false,
          allow: [],
          depConstraints: [
            ...Object.entries(LAYERS).map(([layer, allowed]) => ({
              sourceTag: `layer:${layer}`,
              onlyDependOnLibsWithTags: allowed.map((tag) => `layer:${tag}`),
              // A pure layer knows no framework and no client of a server.
              ...(layer === 'domain' && { allowedExternalImports: [] }),
              ...(layer === 'mapping' && { allowedExternalImports: ['@bufbuild/*'] }),
            })),
            ...EDGE_LIBRARIES.map((library, place) => ({
              sourceTag: `edge:${library}`,
              onlyDependOnLibsWithTags: [
                ...EDGE_LIBRARIES.slice(0, place + 1).map((name) => `edge:${name}`),
                ...LAYERS.mapping.map((layer) => `layer:${layer}`),
              ],
              // The framework makes processes of the other libraries, which are configured by values.
              ...(library !== 'runtime' && { bannedExternalImports: ['@nestjs/*'] }),
            })),
          ],
        },
      ],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        // A member that is new to a union is to stop the build wherever the union is taken apart.
        {
          allowDefaultCaseForExhaustiveSwitch: false,
          considerDefaultExhaustiveForUnions: false,
          requireDefaultForNonUnion: true,
        },
      ],
      // Whoever reads one file of a cycle has to read all of it. Cycles of projects are found by their layers.
      'import-x/no-cycle': ['error', { ignoreExternal: true }],
      'import-x/no-restricted-paths': ['error', { basePath: import.meta.dirname, zones: roomZones() }],
      // Numbers read well in texts, and so does an arrow function that passes on what gives nothing.
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      // Modules of Nest are classes that only their decorator fills.
      '@typescript-eslint/no-extraneous-class': ['error', { allowWithDecorator: true }],
      // TypeScript is structural: grpc-js and Nest name classes where they take any object of that shape.
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      'no-console': 'error',
      eqeqeq: 'error',
    },
  },
  {
    // The middle is pure: events in, plain data out. No I/O, no clock, no environment.
    files: PURE.map((folder) => `${folder}/src/**/*.ts`),
    ignores: [SPECS],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            { regex: '^node:', message: 'A pure lib does no I/O: take what is needed as an argument.' },
          ],
        },
      ],
      'no-restricted-globals': [
        'error',
        ...['process', 'fetch', 'setTimeout', 'setInterval', 'setImmediate', 'performance', 'console'].map(
          (name) => ({
            name,
            message: 'A pure lib does no I/O and has no clock: take what is needed as an argument.',
          }),
        ),
      ],
      'no-restricted-properties': [
        'error',
        {
          object: 'Date',
          property: 'now',
          message: 'A pure lib has no clock: take the time as an argument.',
        },
        { object: 'Math', property: 'random', message: 'A pure lib is deterministic.' },
      ],
    },
  },
  {
    files: ['apps/*/src/**/*.ts', 'libs/*/src/**/*.ts'],
    ignores: [SPECS, '**/testing/**'],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              regex: '^(?!@ajs/testing$).*/testing(/|$)',
              message: 'Test doubles are for specs, not for what ships.',
            },
          ],
        },
      ],
    },
  },
  {
    files: [SPECS, '**/testing/**/*.ts', 'libs/testing/**/*.ts'],
    rules: {
      // Specs may use any layer's test servers; the production code above may not.
      '@nx/enforce-module-boundaries': 'off',
      // A test sends numbers that no enum has, and deprecated fields that clients still send.
      '@typescript-eslint/no-unsafe-enum-assignment': 'off',
      '@typescript-eslint/no-deprecated': 'off',
    },
  },
  {
    files: ['tools/*/src/**/*.ts', 'bench/**/*.ts', 'e2e/src/main.ts'],
    rules: { 'no-console': 'off' },
  },
  {
    files: ['**/*.mjs'],
    ...tseslint.configs.disableTypeChecked,
  },
);

/** What no file of a room may import. Specs, and the doubles in `testing`, stand outside of the rooms. */
function roomZones() {
  return Object.entries(ROOMS).flatMap(([library, rooms]) =>
    Object.entries(rooms).map(([room, allowed]) => ({
      target: `${library}/${room}/!(*.spec).ts`,
      from: [...Object.keys(rooms).filter((name) => name !== room && !allowed.includes(name)), 'testing'].map(
        (name) => `${library}/${name}/**`,
      ),
      message: `${library}: ${room} may import ${allowed.length === 0 ? 'no other room' : allowed.join(', ')}.`,
    })),
  );
}
