import { descriptorSet } from '@ajs/contracts';
import { JobRunState, JobsService } from '@ajs/contracts/api/job';
import { JobState } from '@ajs/contracts/api/submit';
import { BytesValueSchema, TimestampSchema } from '@bufbuild/protobuf/wkt';
import { JsonApi, type JsonProfile } from './json-api.js';
import { jsonSchemas, schemaName, type FieldNotes } from './json-schema.js';

const api = new JsonApi(descriptorSet);
const details = api.method(JobsService.getJobDetails).descriptor.output;
const states = api.method(JobsService.getJobStatus).descriptor.output;

const TEXT = { type: 'string' };
const reference = (name: string) => ({ $ref: `#/components/schemas/${name}` });

/** The schema of a run, but for its times and its state, which are different in each profile. */
const runWith = (time: object, state: object) => ({
  type: 'object',
  properties: {
    runId: TEXT,
    jobId: TEXT,
    state,
    cluster: TEXT,
    node: TEXT,
    leasedTs: time,
    pendingTs: time,
    startedTs: time,
    finishedTs: time,
    ingressAddresses: {
      type: 'object',
      additionalProperties: TEXT,
      propertyNames: { pattern: '^-?[0-9]+$' },
    },
  },
});

describe('the JSON Schemas of an answer', () => {
  it('describe Go’s JSON: enums as numbers with their names, times as objects', () => {
    const schemas = jsonSchemas(details, 'go');
    expect(schemas['JobRunDetails']).toEqual(
      runWith(reference('Timestamp'), {
        type: 'integer',
        enum: Object.values(JobRunState),
        description: Object.entries(JobRunState)
          .map(([name, number]) => `${number} ${name}`)
          .join(', '),
      }),
    );
    expect(schemas['Timestamp']).toEqual({
      type: 'object',
      properties: {
        seconds: { type: 'integer', format: 'int64' },
        nanos: { type: 'integer', format: 'int32' },
      },
    });
  });

  it('describe proto3’s JSON: enums as names, times as texts', () => {
    const schemas = jsonSchemas(details, 'proto3');
    expect(schemas['JobRunDetails.proto3']).toEqual(
      runWith({ type: 'string', format: 'date-time' }, { type: 'string', enum: Object.keys(JobRunState) }),
    );
    expect(Object.keys(schemas)).not.toContain('Timestamp.proto3');
    expect(jsonSchemas(TimestampSchema, 'proto3')['Timestamp.proto3']).toEqual({
      type: 'object',
      properties: {
        seconds: { type: 'string', format: 'int64' },
        nanos: { type: 'integer', format: 'int32' },
      },
    });
  });

  it('hold maps, lists, numbers and every message that the answer holds', () => {
    expect(jsonSchemas(states, 'proto3')).toEqual({
      'JobStatusResponse.proto3': {
        type: 'object',
        properties: {
          jobStates: {
            type: 'object',
            additionalProperties: { type: 'string', enum: Object.keys(JobState) },
          },
        },
      },
    });
    const schemas = jsonSchemas(details, 'go');
    expect(schemas).toMatchObject({
      JobDetailsResponse: {
        properties: { jobDetails: { additionalProperties: reference('JobDetails') } },
      },
      JobDetails: { properties: { jobRuns: { type: 'array', items: reference('JobRunDetails') } } },
      Job: { properties: { priority: { type: 'number' } } },
    });
  });

  it('say of a field what is noted of it, by its full name', () => {
    const notes: FieldNotes = { 'api.JobRunDetails.run_id': { description: 'the id of the run' } };
    const { properties } = jsonSchemas(details, 'go', notes)['JobRunDetails'] as { properties: object };
    expect(properties).toMatchObject({ runId: { type: 'string', description: 'the id of the run' } });
    expect(properties).toMatchObject({ jobId: TEXT });
  });

  it.each<[JsonProfile, string]>([
    ['go', 'JobStatusResponse'],
    ['proto3', 'JobStatusResponse.proto3'],
  ])('are named by message and form (%s)', (profile, name) => {
    expect(schemaName(states, profile)).toBe(name);
  });

  it('are refused for a type that has none yet, by the name of the field', () => {
    expect(() => jsonSchemas(BytesValueSchema, 'go')).toThrow(
      'no JSON Schema for field google.protobuf.BytesValue.value',
    );
  });
});
