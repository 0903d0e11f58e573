export { createArmadaClient, type ArmadaClient, type ArmadaClientOptions } from './armada-client.js';
export { ArmadaJobsError, type ArmadaJobs, type Requester, type SharedArmadaJobs } from './armada-jobs.js';
export { fetchJobReports, type ReportedJob } from './fetch-job-reports.js';
export type { ChannelPool } from './channel-pool.js';
export { createForwardingChannels } from './forwarding-channels.js';
export { isUnreachable, type CallObserver, type EndedCall } from './observe-calls.js';
export type { MessageCounter } from './event-streams.js';
export { PermissionProbe } from './permission-probe.js';
