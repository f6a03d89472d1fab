#!/usr/bin/env node
// Stands behind a script whose part does not exist yet, so that its name is taken and nobody mistakes silence for success.
process.stderr.write(`latchkey: npm run ${process.env.npm_lifecycle_event} is not built yet\n`);
process.exit(1);
