import { Redis } from 'ioredis';

/**
 * A client for what a test itself does at a Redis that does not restart. It ends with its server: a test that fails before it disconnects
 * leaves nothing that would keep its process from ending.
 */
export const adminOf = (url: string): Redis => new Redis(url, { retryStrategy: () => null });
