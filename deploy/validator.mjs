// Installs the validator of requirements.txt, and prints the Python that has it.
import { join } from 'node:path';
import { virtualEnvironment } from '../e2e/python/virtual-environment.mjs';

console.log(virtualEnvironment('deploy', [['-r', join(import.meta.dirname, 'requirements.txt')]]));
