// A lock holder as a process of its own: takes locks and writes under their fences when its parent says so.
const pathOf = (name) => `/api/v1/lock-stores/lockstore/locks/${encodeURIComponent(name)}`;

async function acquire({ port, names, ttlMs }) {
  const answers = await Promise.all(
    names.map((name) =>
      fetch(`http://127.0.0.1:${port}${pathOf(name)}`, {
        method: 'PUT',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ owner: 'holder', ttlMs }),
      }),
    ),
  );
  const bodies = await Promise.all(answers.map((answer) => answer.json()));
  return { statuses: answers.map(({ status }) => status), fences: bodies.map(({ fence }) => fence) };
}

async function write({ port, names, fences, value }) {
  const answers = await Promise.all(
    names.map((name, index) =>
      fetch(`http://127.0.0.1:${port}/kv/${encodeURIComponent(name)}?api-version=2023-11-01`, {
        method: 'PUT',
        headers: {
          'content-type': 'application/vnd.microsoft.appconfig.kv+json',
          'lock-fence': `lockstore/${encodeURIComponent(name)};${fences[index]}`,
        },
        body: JSON.stringify({ value }),
      }),
    ),
  );
  await Promise.all(answers.map((answer) => answer.arrayBuffer()));
  return { statuses: answers.map(({ status }) => status), fences };
}

process.on('message', (message) => {
  const work = message.kind === 'acquire' ? acquire(message) : write(message);
  work.then(
    (answer) => process.send({ kind: message.kind, ...answer }),
    (error) => {
      process.stderr.write(`${error.stack}\n`);
      process.exit(1);
    },
  );
});
