import { reflectedFiles } from './reflected-files.js';

it('reflection knows the files of the services that are served, after their imports, and no others', () => {
  expect(Object.keys(reflectedFiles(['grpc.health.v1.Health']))).toEqual(['health/v1/health.proto']);
  expect(Object.keys(reflectedFiles(['api.Jobs', 'jobservice.JobService', 'grpc.health.v1.Health']))).toEqual(
    [
      'api/health.proto',
      'google/protobuf/empty.proto',
      'google/protobuf/timestamp.proto',
      'api/submit.proto',
      'api/job.proto',
      'jobservice/jobservice.proto',
      'health/v1/health.proto',
    ],
  );
});
