export { MemoryJobStore } from './memory-store.js';
