/** The token of the Redis client that reads job states. */
export const REDIS_READER = Symbol('RedisReader');
/** The token of the JobLister and JobDetailsLister. */
export const JOB_LISTER = Symbol('JobLister');
/** The token of the JobSetLister. */
export const JOB_SET_LISTER = Symbol('JobSetLister');
/** The token of the JobSetChanges. */
export const JOB_SET_CHANGES = Symbol('JobSetChanges');
/** The token of the JobSetLife. */
export const JOB_SET_LIFE = Symbol('JobSetLife');
/** The token of the ProvisionalJobSink. */
export const PROVISIONAL_JOBS = Symbol('ProvisionalJobSink');
/** The token of a NoteInterest. */
export const NOTE_INTEREST = Symbol('NoteInterest');
/** The token of the PermissionProbe's connections to Armada, which carry callers' credentials only. */
export const PERMISSION_CHANNELS = Symbol('PermissionChannels');
/** The token of the Authorizer. */
export const AUTHORIZER = Symbol('Authorizer');
/** The token of the JobReadOptions. */
export const JOB_READ_OPTIONS = Symbol('JobReadOptions');
/** The token of `jobservice.JobService`. */
export const LEGACY_SERVICE = Symbol('LegacyService');
/** The token of the JobsServiceOptions: `api.Jobs`, however it is called. */
export const JOBS_CALLS = Symbol('JobsServiceOptions');
/** The token of the V2ServiceOptions: `jobservice.v2`, however it is called. */
export const V2_CALLS = Symbol('V2ServiceOptions');
/** The token of the PassThrough; `undefined` where PASS_THROUGH is off. */
export const PASS_THROUGH = Symbol('PassThrough');
/** The token of the ServerTls of both ports; `undefined`: plaintext. */
export const SERVER_TLS = Symbol('ServerTls');
