import { parseArgs } from 'node:util';
import type { RedisTarget } from '@ajs/job-store';
import { z } from 'zod';
import { SettingsError } from './settings-error.js';
import { fileKeyOf } from './setting.js';
import {
  SECTIONS,
  SETTINGS,
  settingsList,
  type Sections,
  type Settings,
  type Variables,
} from './settings.js';
import { nearestName, unknownVariables } from './unknown-settings.js';
import { readYamlFile, withoutValue } from './yaml-file.js';

/** The variable that names the file. */
const CONFIG_FILE = 'CONFIG_FILE';

/** No settings of ours, but they win over the file that ARMADACTL_CONFIG names, as they do for armadactl. */
const ARMADACTL_VARIABLES = ['ARMADAURL', 'CURRENTCONTEXT'];

export interface SettingsSource {
  /** Arguments after the script's name. `--config FILE` names the file. */
  readonly argv: readonly string[];
  /** CONFIG_FILE names the file unless an argument does; every other variable overrides the file. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Reads and validates the settings. Throws {@link SettingsError}. */
export function loadSettings({ argv, env }: SettingsSource): Settings {
  const file = configFileOf(argv) ?? (env[CONFIG_FILE] || undefined);
  const problems: string[] = [];
  const { texts: fromFile, sections } = file === undefined ? NOTHING : readConfigFile(file, problems);
  const readsArmadactlFile = Boolean(env['ARMADACTL_CONFIG'] || fromFile.get('armadactlConfig'));
  const known = [CONFIG_FILE, ...settingsList().map((setting) => setting.env)];
  problems.push(...unknownVariables(env, readsArmadactlFile ? [...known, ...ARMADACTL_VARIABLES] : known));
  const given = settingsList().map((setting) => {
    const fromEnv = env[setting.env] || undefined;
    const fileKey = fileKeyOf(setting);
    if (fromEnv !== undefined) return { text: fromEnv, name: `${setting.env} (environment)` };
    const text = fromFile.get(fileKey);
    if (text !== undefined) return { text, name: `${fileKey} (${file})` };
    return { text: setting.default, name: setting.env };
  });
  const names = Object.keys(SETTINGS);
  const schema = z.object(
    Object.fromEntries(Object.entries(SETTINGS).map(([name, { schema }]) => [name, schema])),
  );
  const result = schema.safeParse(Object.fromEntries(names.map((name, i) => [name, given[i]?.text])));
  if (!result.success) {
    for (const { path, message } of result.error.issues) {
      const index = names.indexOf(String(path[0]));
      const { name, text } = given[index] ?? { name: String(path[0]), text: '' };
      const show = settingsList()[index]?.show ?? ((shown: string) => shown);
      problems.push(`${name} is "${show(text)}", but must be ${message}`);
    }
    throw new SettingsError(problems);
  }
  const variables = result.data as Variables;
  const settings: Settings = { ...variables, redis: redisOf(variables), ...sections };
  problems.push(...contradictions(settings));
  if (problems.length > 0) throw new SettingsError(problems);
  return settings;
}

function configFileOf(argv: readonly string[]): string | undefined {
  try {
    return parseArgs({ args: [...argv], options: { config: { type: 'string' } } }).values.config;
  } catch (error) {
    throw new SettingsError([
      `${(error as Error).message}; the only arguments are --config FILE, --check-config and --help; set everything else in the file or the environment`,
    ]);
  }
}

interface FileSettings {
  /** Single values, by their names in the file. */
  readonly texts: ReadonlyMap<string, string>;
  readonly sections: Sections;
}

const NOTHING: FileSettings = { texts: new Map(), sections: {} };

function readConfigFile(file: string, problems: string[]): FileSettings {
  const content = readYamlFile(file) ?? '';
  if (content === '') return NOTHING;
  if (typeof content !== 'object' || Array.isArray(content)) {
    throw new SettingsError([`the file ${file} must consist of "name: value" lines`]);
  }
  const texts = new Map<string, string>();
  let sections: Sections = {};
  const known = new Set(settingsList().map(fileKeyOf));
  for (const [key, value] of Object.entries(content as Record<string, unknown>)) {
    const section = SECTIONS.find((name) => name === key);
    if (section !== undefined) {
      if (value !== '') sections = { ...sections, [section]: { content: value, file } };
    } else if (!known.has(key)) {
      const shown = withoutValue(key);
      const nearest = nearestName(shown, [...known, ...SECTIONS]);
      problems.push(`${shown} (${file}) is not a setting; did you mean ${nearest}?`);
    } else if (typeof value === 'string') {
      if (value !== '') texts.set(key, value);
    } else {
      problems.push(
        `${key} (${file}) must be a single value, not ${Array.isArray(value) ? 'a list' : 'a map'}`,
      );
    }
  }
  return { texts, sections };
}

/** The address of Redis, with the settings that belong to it. */
function redisOf(settings: Variables): RedisTarget {
  const { redis, redisTlsCaFile, redisTlsCertFile, redisTlsKeyFile, redisTlsServerName } = settings;
  const { redisSentinelUsername, redisSentinelPassword } = settings;
  return {
    ...redis,
    ...(settings.redisKeyPrefix !== '' && { keyPrefix: settings.redisKeyPrefix }),
    ...(redisTlsCaFile !== '' && { caFile: redisTlsCaFile }),
    ...(redisTlsCertFile !== '' && { certFile: redisTlsCertFile }),
    ...(redisTlsKeyFile !== '' && { keyFile: redisTlsKeyFile }),
    ...(redisTlsServerName !== '' && { serverName: redisTlsServerName }),
    ...(redis.kind === 'sentinel' && {
      ...(redisSentinelUsername !== '' && { sentinelUsername: redisSentinelUsername }),
      ...(redisSentinelPassword !== '' && { sentinelPassword: redisSentinelPassword }),
    }),
  };
}

/** Settings that are valid one by one, but not together. */
function contradictions(settings: Settings): string[] {
  const { followAfterPollMs, followUnfinishedAfterPollMs, deleteAfterPollMs } = settings;
  const problems: string[] = [];
  const { redis } = settings;
  const usesTls = redis.kind === 'single' ? redis.url.startsWith('rediss:') : redis.tls;
  const tlsSettings = {
    REDIS_TLS_CA_FILE: settings.redisTlsCaFile,
    REDIS_TLS_CERT_FILE: settings.redisTlsCertFile,
    REDIS_TLS_KEY_FILE: settings.redisTlsKeyFile,
    REDIS_TLS_SERVER_NAME: settings.redisTlsServerName,
  };
  for (const [name, value] of Object.entries(tlsSettings)) {
    if (value === '' || usesTls) continue;
    problems.push(`${name} is set, but REDIS_URL does not use TLS: it must begin with rediss`);
  }
  if ((settings.redisTlsCertFile === '') !== (settings.redisTlsKeyFile === '')) {
    problems.push('REDIS_TLS_CERT_FILE and REDIS_TLS_KEY_FILE must be set together');
  }
  const sentinelSettings = {
    REDIS_SENTINEL_USERNAME: settings.redisSentinelUsername,
    REDIS_SENTINEL_PASSWORD: settings.redisSentinelPassword,
  };
  for (const [name, value] of Object.entries(sentinelSettings)) {
    if (value === '' || redis.kind === 'sentinel') continue;
    problems.push(`${name} is set, but REDIS_URL names no sentinels (redis-sentinel://)`);
  }
  if (settings.redisSentinelUsername !== '' && settings.redisSentinelPassword === '') {
    problems.push('REDIS_SENTINEL_USERNAME is set without REDIS_SENTINEL_PASSWORD');
  }
  if (followUnfinishedAfterPollMs < followAfterPollMs) {
    problems.push(
      'FOLLOW_UNFINISHED_AFTER_POLL is shorter than FOLLOW_AFTER_POLL, but must be at least as long',
    );
  }
  if (settings.maxReadIntervalMs < settings.minReadIntervalMs) {
    problems.push('MAX_READ_INTERVAL is shorter than MIN_READ_INTERVAL, but must be at least as long');
  }
  if (deleteAfterPollMs < followUnfinishedAfterPollMs) {
    problems.push(
      'DELETE_AFTER_POLL is shorter than FOLLOW_UNFINISHED_AFTER_POLL, but must be at least as long',
    );
  }
  return problems;
}
