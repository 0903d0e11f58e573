import { launch } from '@ajs/runtime/launch';

await launch('ingester', () => import('./app.js'));
