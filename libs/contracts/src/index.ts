export { descriptorSet } from './generated/descriptors.js';
