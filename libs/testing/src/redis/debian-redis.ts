import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { debianProgram } from '../debian-packages.js';

/**
 * Debian's Redis 7, which can do TLS. Installing it would start a service, and be what all other tests run against. The server is shipped
 * under the name of a tool.
 */
export function fromDebian(): Promise<string> {
  return debianProgram({
    name: 'debian-redis-7',
    packages: () => Promise.resolve(['redis-tools', 'libjemalloc2', 'liblzf1']),
    program: async (unpacked) => {
      // It looks at its name to know what it is.
      await symlink('redis-check-rdb', join(unpacked, 'usr/bin/redis-server'));
      return 'usr/bin/redis-server';
    },
  });
}
