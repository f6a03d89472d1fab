#!/usr/bin/env node
// `npm start`: builds when needed, then becomes the service. It runs in this very process, so that signals need no forwarding; and
// package.json says `exec`, because of a shell in between npm would only hear that it died of the signal, and the service nothing.
// Windows knows no `exec` and takes what follows it.
import { buildIfStale } from './build-if-stale.mjs';

buildIfStale();
await import('../dist/src/main.js');
