import { JobServiceResponse_State, JobServiceService } from '@ajs/contracts/jobservice/jobservice';
import { CertificateAuthority, allRecordings, unary, type Certified } from '@ajs/testing';
import { Client, credentials } from '@grpc/grpc-js';
import { request } from 'node:https';
import { text } from 'node:stream/consumers';
import type { IncomingMessage } from 'node:http';
import { AppProcess } from './app-process.js';
import { Stack } from './stack.js';

let authority: CertificateAuthority;
let served: Certified;
let stack: Stack;

beforeAll(async () => {
  authority = await CertificateAuthority.create();
  served = await authority.sign(['query', '127.0.0.1']);
  stack = await Stack.start({
    QUERY_TLS_CERT_FILE: served.certFile,
    QUERY_TLS_KEY_FILE: served.keyFile,
    QUERY_TLS_CLIENT_CA_FILE: authority.certFile,
  });
  await stack.ingester();
});

afterAll(async () => {
  await stack.stop();
  authority.remove();
});

it('gRPC and HTTP are served with TLS to callers with a certificate', async () => {
  const { grpc, http } = await stack.query();
  const recording = allRecordings().find(({ name }) => name === 'success');
  if (recording === undefined) throw new Error('the recording is not there');
  stack.armada.replay(recording);
  const [jobId = ''] = Object.keys(recording.states);
  const airflow = await authority.sign(['airflow']);
  const client = new Client(
    grpc,
    credentials.createSsl(Buffer.from(authority.cert), Buffer.from(airflow.key), Buffer.from(airflow.cert)),
  );
  const { queue, jobSetId } = recording;
  const { answer } = await unary(client, JobServiceService.getJobStatus, { queue, jobSetId, jobId });
  client.close();
  expect(answer.state).toBe(JobServiceResponse_State.SUCCEEDED);
  const url = http.replace('http:', 'https:');
  expect(await statusOf(`${url}/v1/queues/active`, airflow)).toBe(200);
  expect(await statusOf(`${url}/v1/queues/active`)).toBe(403);
  expect(await statusOf(`${url}/readyz`)).toBe(200);
});

it.each([
  [{ QUERY_TLS_KEY_FILE: '' }, 'must be set together'],
  [{ QUERY_TLS_CERT_FILE: '/nowhere' }, 'QUERY_TLS_CERT_FILE is "/nowhere", which cannot be read'],
  [
    { QUERY_TLS_CLIENT_CA_FILE: '/dev/null' },
    'QUERY_TLS_CLIENT_CA_FILE is "/dev/null", which holds no certificate',
  ],
])('a start with %j fails and names the problem', async (env, problem) => {
  const app = new AppProcess('dist/apps/query/main.js', stack.envOf(env));
  expect(await app.ended()).toBe(2);
  expect(app.logs).toMatchObject([{ level: 'fatal', msg: expect.stringContaining(problem) as string }]);
});

function statusOf(url: string, shown?: Certified): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const options = { method: url.includes('/v1/') ? 'POST' : 'GET', ca: authority.cert, agent: false };
    const call = request(url, { ...options, ...(shown && { cert: shown.cert, key: shown.key }) });
    call.on('error', reject);
    call.on('response', (response: IncomingMessage) => {
      void text(response).then(() => resolve(response.statusCode), reject);
    });
    call.end();
  });
}
