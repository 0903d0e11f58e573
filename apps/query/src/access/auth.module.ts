import { Inject, Module, type BeforeApplicationShutdown } from '@nestjs/common';
import {
  PermissionProbe,
  createForwardingChannels,
  type ArmadaClient,
  type ChannelPool,
} from '@ajs/armada-client';
import type { ArmadaAccess } from '@ajs/armada-credentials';
import { createAuthorizer, type Authorizer } from '@ajs/auth';
import type { Settings } from '@ajs/config';
import type { RedisClient } from '@ajs/job-store';
import type { Log } from '@ajs/observability';
import {
  ARMADA,
  ARMADA_ACCESS,
  ArmadaCalls,
  ArmadaModule,
  LOG,
  RedisErrorLog,
  RedisModule,
  SETTINGS,
} from '@ajs/runtime';
import { Admission } from '../load/admission.js';
import { AdmissionModule } from '../load/admission.module.js';
import { JobStoreModule } from '../store/job-store.module.js';
import { AUTHORIZER, PERMISSION_CHANNELS, REDIS_READER } from '../tokens.js';
import { Access } from './access.js';

/** The answer to a probe is empty where the caller may watch. Bytes. */
const MAX_PROBE_ANSWER_BYTES = 64 * 1024;

/** Who may read what: by AUTH_MODE, for the calls of all APIs. */
@Module({
  imports: [RedisModule, ArmadaModule, JobStoreModule, AdmissionModule],
  providers: [
    {
      provide: PERMISSION_CHANNELS,
      inject: [ARMADA_ACCESS, ArmadaCalls],
      useFactory: ({ transport }: ArmadaAccess, calls: ArmadaCalls) =>
        createForwardingChannels(transport, MAX_PROBE_ANSWER_BYTES, calls.ofCallers),
    },
    {
      provide: PermissionProbe,
      inject: [PERMISSION_CHANNELS],
      useFactory: (channels: ChannelPool) => new PermissionProbe(channels),
    },
    {
      provide: AUTHORIZER,
      inject: [SETTINGS, PermissionProbe, ARMADA, REDIS_READER, RedisErrorLog, LOG],
      useFactory: (
        settings: Settings,
        armada: PermissionProbe,
        { queueGrants: grants }: ArmadaClient,
        redis: RedisClient,
        errors: RedisErrorLog,
        log: Log,
      ) =>
        createAuthorizer({
          settings,
          env: process.env,
          armada,
          grants,
          redis,
          redisFailed: errors.report,
          warn: (text) => log.warn(text),
        }),
    },
    {
      provide: Access,
      inject: [AUTHORIZER, Admission, SETTINGS],
      useFactory: (authorizer: Authorizer, admission: Admission, settings: Settings) => {
        const needWatch = settings.jobsApiPermission === 'watch';
        return new Access({
          authorizer,
          jobsNeedWatch: needWatch && settings.authMode !== 'anonymous',
          queueNamesNeedWatch: needWatch && settings.authMode === 'local',
          waiting: (who, work) => admission.waiting(who, work),
        });
      },
    },
  ],
  exports: [PermissionProbe, Access],
})
export class AuthModule implements BeforeApplicationShutdown {
  constructor(@Inject(PERMISSION_CHANNELS) private readonly channels: ChannelPool) {}

  beforeApplicationShutdown(): void {
    this.channels.close();
  }
}
