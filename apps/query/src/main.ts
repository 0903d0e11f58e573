import { launch } from '@ajs/runtime/launch';

await launch('query', () => import('./app.js'));
