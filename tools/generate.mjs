// Generates libs/contracts/src/generated from proto/. With --check it only compares, and fails if they differ.
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';

const root = join(import.meta.dirname, '..');
const target = join(root, 'libs/contracts/src/generated');
const check = process.argv.includes('--check');
const out = check ? mkdtempSync(join(tmpdir(), 'contracts-')) : target;

const options = [
  'outputServices=grpc-js',
  'outputClientImpl=grpc-js',
  'env=node',
  'esModuleInterop=true',
  'importSuffix=.js',
  'forceLong=string',
  'oneof=unions-value',
  'outputJsonMethods=false',
  'outputPartialMethods=false',
  'snakeToCamel=true',
  'useDate=false',
  'enumsAsLiterals=true',
  'unrecognizedEnum=false',
  'useExactTypes=false',
];

/** Every file below a folder, as sorted paths relative to it. */
function files(folder, extension = '') {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(extension))
    .map((entry) => relative(folder, join(entry.parentPath ?? entry.path, entry.name)))
    .sort();
}

try {
  if (!check) rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  const protoc = (...args) =>
    execFileSync(join(root, 'node_modules/.bin/protoc'), args, { cwd: root, stdio: 'inherit' });
  const ours = files(join(root, 'proto'), '.proto').map((file) => join('proto', file));
  protoc(
    `--plugin=protoc-gen-ts_proto=${join(root, 'node_modules/.bin/protoc-gen-ts_proto')}`,
    `--ts_proto_out=${out}`,
    `--ts_proto_opt=${options.join(',')}`,
    '-Iproto',
    ...ours,
  );
  // The protos of the health service come with its package; reflection lists it too.
  const healthProtos = 'node_modules/grpc-health-check/proto';
  const descriptors = join(out, 'descriptors.binpb');
  protoc(
    '--include_imports',
    `--descriptor_set_out=${descriptors}`,
    '-Iproto',
    `-I${healthProtos}`,
    ...ours,
    ...files(join(root, healthProtos), '.proto').map((file) => join(healthProtos, file)),
  );
  // As text, so that bundlers and Jest need no rule for a binary file.
  writeFileSync(
    join(out, 'descriptors.ts'),
    `/* eslint-disable */\n/** The FileDescriptorSet of proto/ and of grpc.health.v1, for server reflection. */\n` +
      `export const descriptorSet: Buffer = Buffer.from(\n  '${readFileSync(descriptors).toString('base64')}',\n  'base64',\n);\n`,
  );
  rmSync(descriptors);
  if (check) {
    const names = [...new Set([...files(out), ...files(target)])];
    const read = (folder, name) =>
      existsSync(join(folder, name)) ? readFileSync(join(folder, name)).toString('base64') : undefined;
    const different = names.filter((name) => read(out, name) !== read(target, name));
    if (different.length > 0) {
      console.error(
        `libs/contracts/src/generated does not match proto/: ${different.join(', ')}\nRun: npm run generate`,
      );
      process.exitCode = 1;
    }
  }
} finally {
  if (check) rmSync(out, { recursive: true, force: true });
}
