import { Module } from '@nestjs/common';
import { GaugesModule } from './assignment/gauges.module.js';
import { RollbackDetectorModule } from './assignment/rollback-detector.module.js';
import { SweeperModule } from './assignment/sweeper.module.js';
import { WorkerModule } from './assignment/worker.module.js';

/** Keeps the job states in Redis synced with the event streams of Armada. */
@Module({ imports: [WorkerModule, SweeperModule, RollbackDetectorModule, GaugesModule] })
export class IngesterModule {}
