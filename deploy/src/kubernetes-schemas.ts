import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv, type ValidateFunction } from 'ajv';
import { parse } from 'yaml';
import type { Rendered } from './helm.js';
import { ROOT } from './root.js';

interface Source {
  readonly module: string;
  readonly file: string;
}

/** Where the schemas of kinds come from that Kubernetes itself does not know: Go modules, with the file in them. */
const CUSTOM_RESOURCES: Readonly<Record<string, Source>> = {
  GRPCRoute: {
    module: 'sigs.k8s.io/gateway-api@v1.4.0',
    file: 'config/crd/standard/gateway.networking.k8s.io_grpcroutes.yaml',
  },
  HTTPRoute: {
    module: 'sigs.k8s.io/gateway-api@v1.4.0',
    file: 'config/crd/standard/gateway.networking.k8s.io_httproutes.yaml',
  },
  PodMonitor: {
    module: 'github.com/prometheus-operator/prometheus-operator@v0.85.0',
    file: 'example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml',
  },
  PrometheusRule: {
    module: 'github.com/prometheus-operator/prometheus-operator@v0.85.0',
    file: 'example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml',
  },
  ScaledObject: {
    module: 'github.com/kedacore/keda/v2@v2.18.1',
    file: 'config/crd/bases/keda.sh_scaledobjects.yaml',
  },
};

/** Needs Python: installs a validator that comes with the schemas of many versions of Kubernetes. */
export function installValidator(): string {
  return execFileSync(process.execPath, ['deploy/validator.mjs'], { cwd: ROOT, encoding: 'utf8' }).trim();
}

/** What a version of Kubernetes finds wrong with its own kinds among the objects, unknown fields included; '' where all is well. */
export function problemsIn(python: string, kubernetes: string, objects: readonly Rendered[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'rendered-'));
  try {
    const file = join(folder, 'objects.yaml');
    const known = objects.filter(({ kind }) => CUSTOM_RESOURCES[kind] === undefined);
    writeFileSync(file, known.map((object) => JSON.stringify(object)).join('\n---\n'));
    const { status, stdout, stderr } = spawnSync(
      python,
      ['-m', 'kubernetes_validate', '--strict', '-k', kubernetes, file],
      { encoding: 'utf8' },
    );
    const said = `${stdout}${stderr}`.split('\n').filter((line) => line !== '' && !line.startsWith('INFO '));
    return status === 0 && said.length === 0 ? '' : said.join('\n') || `exit code ${status}`;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

interface CustomResourceDefinition {
  readonly spec: {
    readonly group: string;
    readonly versions: readonly {
      readonly name: string;
      readonly schema: { readonly openAPIV3Schema: object };
    }[];
  };
}

const ajv = new Ajv({
  strict: false,
  allErrors: true,
  validateFormats: false,
  code: { regExp: goRegExp },
});
const validators = new Map<string, ValidateFunction>();

/** As {@link problemsIn}, for an object of a custom resource; `undefined` where it is none. */
export function customProblemsIn(object: Rendered): string | undefined {
  const source = CUSTOM_RESOURCES[object.kind];
  if (source === undefined) return undefined;
  const validate = validators.get(object.kind) ?? compile(source, object);
  validators.set(object.kind, validate);
  return validate(object) ? '' : ajv.errorsText(validate.errors);
}

/** The definitions of all custom resources that the charts use. */
export function customResourceDefinitions(): object[] {
  return Object.values(CUSTOM_RESOURCES).map(downloaded);
}

function downloaded({ module, file }: Source): CustomResourceDefinition {
  const output = execFileSync('go', ['mod', 'download', '-json', module], { encoding: 'utf8' });
  const { Dir } = JSON.parse(output) as { Dir: string };
  return parse(readFileSync(join(Dir, file), 'utf8')) as CustomResourceDefinition;
}

function compile(source: Source, object: Rendered): ValidateFunction {
  const { spec } = downloaded(source);
  const version = spec.versions.find(({ name }) => object.apiVersion === `${spec.group}/${name}`);
  if (version === undefined)
    throw new Error(`${source.module} has no ${object.kind} of ${object.apiVersion}`);
  return ajv.compile(closed(version.schema.openAPIV3Schema) as object);
}

/** Patterns are Go's, which may begin with a flag. */
function goRegExp(pattern: string, flags: string): RegExp {
  const [, ignoreCase, rest] = /^(\^?\(\?i\))?(.*)$/s.exec(pattern) ?? [];
  return ignoreCase === undefined ? new RegExp(pattern, flags) : new RegExp(`^${rest}`, `${flags}i`);
}
goRegExp.code = 'new RegExp';

/** The schema, in which fields that it does not name are forbidden: the API server would drop them. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== 'object' || schema === null) return schema;
  const copy = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closed(value)]));
  const { type, properties, additionalProperties } = copy;
  const isOpen =
    additionalProperties !== undefined || copy['x-kubernetes-preserve-unknown-fields'] !== undefined;
  if (type !== 'object' || isOpen || typeof properties !== 'object' || properties === null) return copy;
  return { ...copy, additionalProperties: false };
}
