import { join } from 'node:path';
import { ESLint } from 'eslint';

const ROOT = join(import.meta.dirname, '../../..');
const BOUNDARIES = '@nx/enforce-module-boundaries';

/** Lints a text as if it stood in an existing file of a project; gives the rules it breaks. */
async function rulesBroken(file: string, text: string): Promise<string[]> {
  const eslint = new ESLint({ cwd: ROOT });
  const results = await eslint.lintText(text, { filePath: join(ROOT, file) });
  return results.flatMap(({ messages }) => messages.map(({ ruleId, message }) => `${ruleId}: ${message}`));
}

const FOLD = 'libs/job-state/src/fold.ts';

describe('the layers: apps → edge → mapping → domain', () => {
  it.each([
    [
      'the domain, of the store',
      FOLD,
      "import { RedisJobSink } from '@ajs/job-store';\nexport const x = RedisJobSink;",
    ],
    [
      'the domain, of the wire',
      FOLD,
      "import { Cause } from '@ajs/contracts/api/event';\nexport const x = Cause;",
    ],
    [
      'the domain, of a framework',
      FOLD,
      "import { Injectable } from '@nestjs/common';\nexport const x = Injectable;",
    ],
    ['the domain, of a client', FOLD, "import { Redis } from 'ioredis';\nexport const x = Redis;"],
    [
      'the mapping, of the edge',
      'libs/wire-mapping/src/to-legacy.ts',
      "import { RedisJobSink } from '@ajs/job-store';\nexport const x = RedisJobSink;",
    ],
    [
      'the edge, of test servers',
      'libs/job-store/src/redis/redis-life.ts',
      "import { RedisServer } from '@ajs/testing';\nexport const x = RedisServer;",
    ],
  ])('forbid an import by %s', async (_, file, text) => {
    expect(await rulesBroken(file, text)).toContainEqual(expect.stringContaining(BOUNDARIES));
  });

  it('forbid an import of an application by a lib', async () => {
    const text = "import '../../../../apps/ingester/src/main.js';";
    expect(await rulesBroken('libs/subscriptions/src/assignment/job-set-worker.ts', text)).toContainEqual(
      expect.stringContaining(BOUNDARIES),
    );
  });

  it.each(['@ajs/job-store/testing', '../../../libs/job-store/src/testing/memory-store.js'])(
    'forbid production code to import test doubles from %s',
    async (from) => {
      const text = `import { MemoryJobStore } from '${from}';\nexport const x = MemoryJobStore;`;
      const rule: unknown = expect.stringContaining('no-restricted-imports');
      expect(await rulesBroken('apps/query/src/query.module.ts', text)).toContainEqual(rule);
      expect(await rulesBroken('apps/query/src/store/coalesced-lister.spec.ts', text)).not.toContainEqual(
        rule,
      );
    },
  );

  it('allow what points down', async () => {
    const text = "import { fold } from '@ajs/job-state';\nexport const x = fold;";
    const broken = await rulesBroken('libs/job-store/src/redis/redis-life.ts', text);
    expect(broken.filter((rule) => rule.startsWith(BOUNDARIES))).toEqual([]);
  });
});

describe('the edge libraries', () => {
  it.each([
    [
      'the platform, of the store',
      'libs/platform/src/index.ts',
      "export { RedisJobSink } from '@ajs/job-store';",
    ],
    [
      'the store, of subscriptions',
      'libs/job-store/src/redis/redis-life.ts',
      "export { Sweeper } from '@ajs/subscriptions';",
    ],
    [
      'subscriptions, of the runtime',
      'libs/subscriptions/src/index.ts',
      "export { bootstrap } from '@ajs/runtime';",
    ],
  ])('have an order, which forbids an import by %s', async (_, file, text) => {
    expect(await rulesBroken(file, text)).toContainEqual(expect.stringContaining(BOUNDARIES));
  });

  it('do not know the framework, except the runtime', async () => {
    const text = "import { Injectable } from '@nestjs/common';\nexport const x = Injectable;";
    const rule: unknown = expect.stringContaining(BOUNDARIES);
    expect(await rulesBroken('libs/subscriptions/src/assignment/sweeper.ts', text)).toContainEqual(rule);
    expect(await rulesBroken('libs/runtime/src/health/readiness.ts', text)).not.toContainEqual(rule);
  });

  it.each([
    [
      'interest, of assignments',
      'libs/subscriptions/src/interest/lifetime.ts',
      "export { Sweeper } from '../assignment/sweeper.js';",
    ],
    [
      'sync, of its test doubles',
      'libs/subscriptions/src/sync/backoff.ts',
      "export { ScriptedSource } from '../testing/scripted-source.js';",
    ],
  ])('have rooms with one direction, which forbids an import by %s', async (_, file, text) => {
    expect(await rulesBroken(file, text)).toContainEqual(
      expect.stringContaining('import-x/no-restricted-paths'),
    );
  });
});

describe('files', () => {
  it('may not import each other in a cycle', async () => {
    expect(
      await rulesBroken(
        'libs/job-state/src/fold.ts',
        "import { foldBatch } from './fold-batch.js';\nexport const x = foldBatch;",
      ),
    ).toContainEqual(expect.stringContaining('import-x/no-cycle'));
  });
});

describe('the pure libs', () => {
  it.each([
    [
      'files',
      "import { readFileSync } from 'node:fs';\nexport const x = readFileSync;",
      'no-restricted-imports',
    ],
    ['a clock', 'export const x = Date.now();', 'no-restricted-properties'],
    ['chance', 'export const x = Math.random();', 'no-restricted-properties'],
    ['the environment', "export const x = process.env['X'];", 'no-restricted-globals'],
    ['the network', "export const x = fetch('http://x');", 'no-restricted-globals'],
    ['timers', 'export const x = setTimeout(() => undefined, 1);', 'no-restricted-globals'],
  ])('may not use %s', async (_, text, rule) => {
    for (const file of [FOLD, 'libs/redis-keys/src/shard.ts', 'libs/wire-mapping/src/to-legacy.ts']) {
      expect(await rulesBroken(file, text)).toEqual([expect.stringContaining(rule)]);
    }
  });
});

describe('a switch over a union', () => {
  const RULE = '@typescript-eslint/switch-exhaustiveness-check';
  const isOver = (cases: string): string => `import type { RunOutcome } from './job-record.js';
export function isOver(outcome: RunOutcome): boolean {
  switch (outcome) {
    ${cases}
  }
  return false;
}`;

  it('lists every member', async () => {
    const all = "case 'failed': case 'preempted': case 'returned': case 'expired': return true;";
    expect(await rulesBroken(FOLD, isOver(all))).toEqual([]);
  });

  it.each([
    ['that lacks a member', "case 'failed': case 'preempted': case 'returned': return true;"],
    ['whose default hides a new member', "case 'failed': return true; default: return false;"],
    [
      'whose default is for no member of today',
      "case 'failed': case 'preempted': case 'returned': case 'expired': return true; default: return false;",
    ],
  ])('is refused %s', async (_, cases) => {
    expect(await rulesBroken(FOLD, isOver(cases))).toEqual([expect.stringContaining(RULE)]);
  });

  it('needs a default over texts, of which no list is whole', async () => {
    const text = `export function isA(name: string): boolean {
  switch (name) {
    case 'a':
      return true;
  }
  return false;
}`;
    expect(await rulesBroken(FOLD, text)).toEqual([expect.stringContaining(RULE)]);
  });
});
