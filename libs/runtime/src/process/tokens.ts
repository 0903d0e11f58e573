/** The token of the process's settings. */
export const SETTINGS = Symbol('Settings');
/** The token of the process's log. */
export const LOG = Symbol('Log');
/** The token of a name that no other process has, nor this one when it runs again. */
export const REPLICA_ID = Symbol('ReplicaId');
