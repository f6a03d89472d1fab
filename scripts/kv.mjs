#!/usr/bin/env node
// `npm run kv -- import|export`: builds when needed, then becomes the command.
import { buildIfStale } from './build-if-stale.mjs';

buildIfStale();
await import('../dist/src/transfer/cli.js');
