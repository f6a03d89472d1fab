#!/usr/bin/env node
// `npm start`: builds when needed, then becomes the service. It runs in this very process, so that signals need no forwarding.
import { buildIfStale } from './build-if-stale.mjs';

buildIfStale();
await import('../dist/src/main.js');
