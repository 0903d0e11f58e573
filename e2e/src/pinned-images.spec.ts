import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { ROOT } from './root.js';

const DOCKER = join(ROOT, 'docker');
const PINNED = /^[a-z0-9./-]+:[\w.-]+@sha256:[0-9a-f]{64}$/;

/** What the file is built from, but for its own stages. */
function baseImagesOf(dockerfile: string): string[] {
  const stages = [...dockerfile.matchAll(/^FROM (?:--\S+ )*(\S+)(?: AS (\S+))?$/gim)];
  const named = new Set(stages.map(([, , name]) => name));
  const copied = [...dockerfile.matchAll(/^(?:COPY|ADD|RUN) .*(?:--|,)from=([^\s,]+)/gim)];
  return [...stages, ...copied].map(([, image = '']) => image).filter((image) => !named.has(image));
}

const dockerfiles = readdirSync(DOCKER).filter((file) => file.endsWith('Dockerfile'));

it.each(dockerfiles)('%s is built from images that a digest pins, whatever their tag becomes', (file) => {
  const images = baseImagesOf(readFileSync(join(DOCKER, file), 'utf8'));
  expect(images).not.toEqual([]);
  for (const image of images) expect(image).toMatch(PINNED);
});

it('all Dockerfiles are built by one image, and the processes run on one', () => {
  const images = dockerfiles.flatMap((file) => baseImagesOf(readFileSync(join(DOCKER, file), 'utf8')));
  const names = [...new Set(images)].map((image) => image.replace(/[:@].*/, ''));
  expect(names.sort()).toEqual(['gcr.io/distroless/nodejs26-debian13', 'node']);
});

it('compose runs no image that is neither built here nor pinned by a digest', () => {
  const { services } = parse(readFileSync(join(DOCKER, 'compose.yaml'), 'utf8'), { merge: true }) as {
    services: Record<string, { image?: string; build?: unknown }>;
  };
  const images = Object.values(services).flatMap(({ image, build }) => (build === undefined ? [image] : []));
  expect(images).not.toEqual([]);
  for (const image of images) expect(image).toMatch(PINNED);
});
