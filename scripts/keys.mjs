#!/usr/bin/env node
// `npm run keys -- create|list|revoke`: builds when needed, then becomes the command.
import { buildIfStale } from './build-if-stale.mjs';

buildIfStale();
await import('../dist/src/key-command/cli.js');
